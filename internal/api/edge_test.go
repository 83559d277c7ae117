package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api"
	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/release"
)

// bearer is the header of a new person with the roles.
func (r *rig) bearer(name string, roles ...auth.Role) map[string]string {
	r.t.Helper()
	r.person(name, roles...)
	return map[string]string{"Authorization": "Bearer " + r.token(auth.NewToken{User: name, Name: "bare"})}
}

func TestBadRequestsAreProblems(t *testing.T) {
	r := newRig(t)
	as := r.bearer("ann", auth.Admin)
	for name, c := range map[string]struct {
		method, path, body string
		want               int
		text               string
	}{
		"an unknown field":           {"POST", "/v1/releases", `{"artifact":"a","digest":"b","colour":"red"}`, 422, "colour"},
		"a field that is missing":    {"POST", "/v1/releases", `{"artifact":"a"}`, 422, "digest"},
		"a wrong type":               {"POST", "/v1/releases", `{"artifact":7,"digest":"b"}`, 422, "artifact"},
		"no JSON":                    {"POST", "/v1/evidence", `{`, 400, "unexpected end of JSON"},
		"no body":                    {"POST", "/v1/evidence", ``, 400, "request body is required"},
		"an unknown query parameter": {"GET", "/v1/releases?colour=red", ``, 422, "colour"},
		"a limit that is too high":   {"GET", "/v1/releases?limit=5000", ``, 422, "limit"},
		"an unknown route":           {"GET", "/v1/nothing", ``, 404, "no route"},
		"a method that is not there": {"DELETE", "/v1/releases", ``, 405, "DELETE is not possible"},
		"a cursor of a stream":       {"GET", "/v1/events?after=x", ``, 422, "not a cursor"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := r.call(c.method, c.path, c.body, as)
			if resp.StatusCode != c.want || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("%s %s = %d %s %s", c.method, c.path, resp.StatusCode, resp.Header.Get("Content-Type"), body)
			}
			var p client.Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil || p.Status != c.want || p.Code == "" || !strings.Contains(p.Detail, c.text) {
				t.Errorf("problem = %+v, want %q", p, c.text)
			}
		})
	}
}

func TestTenMegabytesOfYAMLAreTooMuch(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	n := newRelease("v1", digest1)
	n.Definition += strings.Repeat("# nothing but a comment\n", 10<<20/24)
	_, err := ann.Create(t.Context(), n, "")
	refused(t, err, fault.Invalid, "more than the 8 MiB that are allowed")
	if status(err) != http.StatusRequestEntityTooLarge {
		t.Errorf("status = %d, want 413", status(err))
	}
	// Without a length said beforehand.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+"/v1/evidence", io.MultiReader(
		strings.NewReader(`{"digest":"`), strings.NewReader(strings.Repeat("a", 2<<20)), strings.NewReader(`"}`)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token(auth.NewToken{User: "ann", Name: "bare"}))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("2 MiB of evidence = %d %s, want 413", resp.StatusCode, body)
	}
}

// broken is a store whose every transaction fails with something inside.
type broken struct{}

var errInside = errors.New("SELECT secret FROM tokens: disk I/O error at /var/lib/fairway")

func (broken) Update(context.Context, func(release.Tx) error) error { return errInside }
func (broken) View(context.Context, func(release.Tx) error) error   { return errInside }

func TestWhatIsInsideStaysInside(t *testing.T) {
	r := newRig(t)
	as := r.bearer("ann", auth.Admin)
	sick := httptest.NewServer(api.New(api.Config{
		Releases: release.New(release.Config{Store: broken{}, Drive: r.drive}), Auth: r.auth, Drive: r.drive, Closing: r.closing,
	}))
	defer sick.Close()
	r.server, sick = sick, r.server
	defer func() { r.server, sick = sick, r.server }()
	for _, path := range []string{"/v1/releases", "/v1/services", "/v1/events", "/v1/releases/shop/live", "/v1/freezes", "/readyz", "/metrics"} {
		resp, body := r.call(http.MethodGet, path, "", as)
		if resp.StatusCode < 500 && path != "/metrics" {
			t.Errorf("GET %s = %d, want a failure", path, resp.StatusCode)
		}
		if strings.Contains(body, "SELECT") || strings.Contains(body, "/var/lib") {
			t.Errorf("GET %s tells what is inside: %s", path, body)
		}
	}
}

func TestHeadersKeepBrowsersSafe(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/", "/v1/me", "/openapi.json", "/healthz"} {
		resp, _ := r.call(http.MethodGet, path, "", nil)
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "script-src 'self';") || !strings.Contains(policy, "frame-ancestors 'none'") ||
			resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("GET %s: %v", path, resp.Header)
		}
	}
}

func TestPlainRoutes(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	ship(t, ann, newRelease("v1", digest1))
	if resp, body := r.call(http.MethodGet, "/healthz", "", nil); resp.StatusCode != http.StatusOK || body != "ok\n" {
		t.Errorf("healthz = %d %s", resp.StatusCode, body)
	}
	eventually(t, func() bool {
		resp, _ := r.call(http.MethodGet, "/readyz", "", nil)
		return resp.StatusCode == http.StatusOK
	})
	if resp, body := r.call(http.MethodGet, "/some/page", "", nil); resp.StatusCode != http.StatusOK || body != "the page" {
		t.Errorf("the page = %d %s", resp.StatusCode, body)
	}
	if resp, body := r.call(http.MethodGet, "/openapi.json", "", nil); resp.StatusCode != http.StatusOK || body != string(api.OpenAPI()) {
		t.Errorf("openapi.json = %d", resp.StatusCode)
	}
	if err := r.control.LookForPersons(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, body := r.call(http.MethodGet, "/metrics", "", nil)
	for _, line := range []string{
		`fairway_http_requests_total{code="201",route="POST /v1/releases"} 1`,
		`fairway_releases{state="running"} 1`, `fairway_tasks{environment="staging",state="waiting"} 1`, "fairway_outbox_messages 0", "fairway_due_lag_seconds ", "fairway_person_wait_seconds 0",
		"fairway_ledger_lines_total ", `fairway_build_info{go=`, "fairway_last_beat_timestamp_seconds ",
	} {
		if !strings.Contains(body, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// eventually waits until the condition holds.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatal("it never came to that")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
