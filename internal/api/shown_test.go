package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/api"
	"github.com/fairwayhq/fairway/internal/auth"
)

func TestAServerThatOnlyShowsRefusesEveryChange(t *testing.T) {
	r := newRig(t, func(c *api.Config) { c.ReadOnly = true })
	r.person("ann", auth.Admin)
	person := map[string]string{"Authorization": "Bearer " + r.token(auth.NewToken{User: "ann", Name: "mine"})}
	worker := map[string]string{"Authorization": "Bearer " + r.token(auth.NewToken{User: "ann", Name: "w", Worker: true})}
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(api.OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	names, changes := regexp.MustCompile(`\{\w+\}`), 0
	for route, methods := range document.Paths {
		for method := range methods {
			if method == "get" || route == "/v1/login" || route == "/v1/logout" {
				continue
			}
			changes++
			as := person
			if strings.HasPrefix(route, "/v1/worker/") {
				as = worker
			}
			resp, body := r.call(strings.ToUpper(method), names.ReplaceAllString(route, "x"), "{}", as)
			if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "only shows") || !strings.Contains(body, "hint") {
				t.Errorf("%s %s = %d %s", method, route, resp.StatusCode, body)
			}
		}
	}
	if changes < 15 {
		t.Errorf("only %d changes were tried", changes)
	}
	for _, path := range []string{"/v1/releases", "/v1/services", "/v1/me", "/readyz"} {
		if resp, body := r.call(http.MethodGet, path, "", person); resp.StatusCode != http.StatusOK {
			t.Errorf("GET %s = %d %s", path, resp.StatusCode, body)
		}
	}
	token := strings.TrimPrefix(person["Authorization"], "Bearer ")
	if resp, body := r.call(http.MethodPost, "/v1/login", `{"token":"`+token+`"}`, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("login = %d %s", resp.StatusCode, body)
	}
}
