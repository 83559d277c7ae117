package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/git"
	"github.com/fairwayhq/fairway/internal/git/github"
)

// fake speaks the few endpoints of GitHub's API that are used, as its reference
// describes them. It is not GitHub: what only GitHub knows, such as its rights and
// limits, is not tested here.
type fake struct {
	t     *testing.T
	pulls []map[string]any // newest first
	// deleted are the branches that were.
	deleted []string
	answers func(w http.ResponseWriter) bool
}

func start(t *testing.T) (*fake, git.Reviews) {
	t.Helper()
	f := &fake{t: t}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	t.Setenv("GITHUB_TOKEN", "hunter22")
	reviews, err := github.New(github.Config{Repository: "acme/deploy", API: server.URL + "/api/v3", Token: "env:GITHUB_TOKEN"})
	if err != nil {
		t.Fatal(err)
	}
	return f, reviews
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case f.answers != nil && f.answers(w):
	case r.Header.Get("Authorization") != "Bearer hunter22":
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message": "Bad credentials"}`)
	case r.Method == http.MethodPatch && strings.HasPrefix(r.URL.Path, "/api/v3/repos/acme/deploy/pulls/"):
		f.edit(w, r)
	case r.Method == http.MethodDelete && strings.HasPrefix(r.URL.Path, "/api/v3/repos/acme/deploy/git/refs/heads/"):
		f.remove(w, r)
	case r.URL.Path != "/api/v3/repos/acme/deploy/pulls":
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message": "Not Found"}`)
	case r.Method == http.MethodGet:
		f.list(w, r)
	case r.Method == http.MethodPost:
		f.create(w, r)
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("state") != "all" || q.Get("direction") != "desc" {
		f.t.Errorf("asked for %s", r.URL.RawQuery)
	}
	found := []map[string]any{}
	for _, p := range f.pulls {
		if "acme:"+ref(p, "head") == q.Get("head") && ref(p, "base") == q.Get("base") {
			found = append(found, p)
		}
	}
	_ = json.NewEncoder(w).Encode(found)
}

func ref(p map[string]any, side string) string { return p[side].(map[string]any)["ref"].(string) }

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Title, Head, Base, Body string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		f.t.Error(err)
	}
	for _, p := range f.pulls {
		if ref(p, "head") == asked.Head && p["state"] == "open" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprintf(w, `{"message": "Validation Failed", "errors": [{"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for acme:%s."}]}`, asked.Head)
			return
		}
	}
	pull := map[string]any{
		"number": len(f.pulls) + 1, "state": "open", "title": asked.Title, "body": asked.Body, "merged_at": nil,
		"html_url": fmt.Sprintf("https://github.example.com/acme/deploy/pull/%d", len(f.pulls)+1),
		"head":     map[string]any{"ref": asked.Head}, "base": map[string]any{"ref": asked.Base},
	}
	f.pulls = append([]map[string]any{pull}, f.pulls...)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(pull)
}

func (f *fake) edit(w http.ResponseWriter, r *http.Request) {
	var asked struct{ State string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		f.t.Error(err)
	}
	for _, p := range f.pulls {
		if strings.HasSuffix(r.URL.Path, fmt.Sprintf("/%d", p["number"])) {
			p["state"] = asked.State
			_ = json.NewEncoder(w).Encode(p)
		}
	}
}

// remove knows every branch, until it is deleted.
func (f *fake) remove(w http.ResponseWriter, r *http.Request) {
	branch := strings.TrimPrefix(r.URL.Path, "/api/v3/repos/acme/deploy/git/refs/heads/")
	if slices.Contains(f.deleted, branch) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"message": "Reference does not exist"}`)
		return
	}
	f.deleted = append(f.deleted, branch)
	w.WriteHeader(http.StatusNoContent)
}

var proposal = git.Proposal{Branch: "fairway/shop-production-R1", Base: "main", Title: "Release shop", Body: "Fairway-Release: R1"}

func TestAPullRequestIsFollowedToItsEnd(t *testing.T) {
	f, reviews := start(t)
	if got, ok, err := reviews.Find(t.Context(), proposal.Branch, "main"); ok || err != nil {
		t.Fatalf("Find() = %+v, %v, %v", got, ok, err)
	}
	want := git.PullRequest{Number: 1, URL: "https://github.example.com/acme/deploy/pull/1", State: git.Open}
	if got, err := reviews.Request(t.Context(), proposal); err != nil || got != want {
		t.Fatalf("Request() = %+v, %v", got, err)
	}
	if f.pulls[0]["title"] != proposal.Title || f.pulls[0]["body"] != proposal.Body {
		t.Errorf("GitHub was told %v", f.pulls[0])
	}
	if _, err := reviews.Request(t.Context(), proposal); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a second Request() = %v", err)
	}
	for _, tc := range []struct {
		state  string
		merged any
		want   git.State
	}{{"open", nil, git.Open}, {"closed", nil, git.Closed}, {"closed", "2026-01-02T03:04:05Z", git.Merged}} {
		f.pulls[0]["state"], f.pulls[0]["merged_at"] = tc.state, tc.merged
		want.State = tc.want
		if got, ok, err := reviews.Find(t.Context(), proposal.Branch, "main"); !ok || err != nil || got != want {
			t.Errorf("Find() = %+v, %v, %v, want %+v", got, ok, err, want)
		}
	}
	if _, ok, _ := reviews.Find(t.Context(), proposal.Branch, "other"); ok {
		t.Error("a pull request into another branch was found")
	}
}

func TestAnOpenPullRequestIsWithdrawn(t *testing.T) {
	f, reviews := start(t)
	if _, err := reviews.Request(t.Context(), proposal); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again, as after a kill
		got, ok, err := reviews.Withdraw(t.Context(), proposal.Branch, "main")
		if !ok || err != nil || got.State != git.Closed || got.Number != 1 {
			t.Errorf("Withdraw() = %+v, %v, %v", got, ok, err)
		}
	}
	if f.pulls[0]["state"] != "closed" || !slices.Equal(f.deleted, []string{proposal.Branch}) {
		t.Errorf("it is %s, and deleted were %q", f.pulls[0]["state"], f.deleted)
	}
}

func TestAMergedPullRequestStaysMerged(t *testing.T) {
	f, reviews := start(t)
	if _, err := reviews.Request(t.Context(), proposal); err != nil {
		t.Fatal(err)
	}
	f.pulls[0]["state"], f.pulls[0]["merged_at"] = "closed", "2026-01-02T03:04:05Z"
	got, ok, err := reviews.Withdraw(t.Context(), proposal.Branch, "main")
	if !ok || err != nil || got.State != git.Merged || len(f.deleted) > 0 {
		t.Errorf("Withdraw() = %+v, %v, %v, and deleted were %q", got, ok, err, f.deleted)
	}
}

func TestABranchThatWasNeverProposedIsDeleted(t *testing.T) {
	f, reviews := start(t)
	if _, ok, err := reviews.Withdraw(t.Context(), proposal.Branch, "main"); ok || err != nil || len(f.deleted) != 1 {
		t.Errorf("Withdraw() = %v, %v, and deleted were %q", ok, err, f.deleted)
	}
}

func TestWhatMayNotBeWithdrawnIsTold(t *testing.T) {
	f, reviews := start(t)
	if _, err := reviews.Request(t.Context(), proposal); err != nil {
		t.Fatal(err)
	}
	asked := 0
	f.answers = func(w http.ResponseWriter) bool {
		if asked++; asked < 2 {
			return false // it is found, and cannot be closed
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"message": "Resource not accessible"}`)
		return true
	}
	if _, _, err := reviews.Withdraw(t.Context(), proposal.Branch, "main"); fault.CodeOf(err) != fault.Denied {
		t.Errorf("Withdraw() = %v", err)
	}
}

func TestABranchThatMayNotBeDeletedStays(t *testing.T) {
	f, reviews := start(t)
	if _, err := reviews.Request(t.Context(), proposal); err != nil {
		t.Fatal(err)
	}
	asked := 0
	f.answers = func(w http.ResponseWriter) bool {
		if asked++; asked < 3 {
			return false // it is found and closed; the token may do no more
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"message": "Resource not accessible"}`)
		return true
	}
	found, ok, err := reviews.Withdraw(t.Context(), proposal.Branch, "main")
	if err != nil || !ok || found.State != git.Closed || len(f.deleted) > 0 {
		t.Errorf("Withdraw() = %+v, %v, %v", found, ok, err)
	}
}

func TestWhatGitHubSaysIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		header map[string]string
		code   fault.Code
	}{
		"bad credentials":    {401, `{"message": "Bad credentials"}`, nil, fault.Denied},
		"no right":           {403, `{"message": "Resource not accessible"}`, nil, fault.Denied},
		"too many requests":  {403, `{"message": "API rate limit exceeded"}`, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, fault.Unavailable},
		"no such repository": {404, `{"message": "Not Found"}`, nil, fault.NotFound},
		"no such base":       {422, `{"message": "Validation Failed", "errors": [{"field": "base", "code": "invalid"}]}`, nil, fault.Invalid},
		"trouble of its own": {502, `<html>Bad Gateway</html>`, nil, fault.Unavailable},
		"an answer cut off":  {200, `{"number": `, nil, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			f, reviews := start(t)
			f.answers = func(w http.ResponseWriter) bool {
				for k, v := range tc.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(tc.status)
				fmt.Fprint(w, tc.body)
				return true
			}
			_, err := reviews.Request(t.Context(), proposal)
			if fault.CodeOf(err) != tc.code || strings.Contains(err.Error(), "hunter22") {
				t.Errorf("Request() = %v (%s), want %s", err, fault.CodeOf(err), tc.code)
			}
		})
	}
}

func TestAConfigThatMakesNoSenseIsRefused(t *testing.T) {
	t.Setenv("GITHUB_TOKEN", "hunter22")
	for name, config := range map[string]github.Config{
		"no owner":            {Repository: "deploy", Token: "env:GITHUB_TOKEN"},
		"a URL":               {Repository: "https://github.com/acme/deploy", Token: "env:GITHUB_TOKEN"},
		"no token":            {Repository: "acme/deploy"},
		"a token in the open": {Repository: "acme/deploy", Token: "env:GITHUB_TOKEN", API: "http://github.example.com/api/v3"},
	} {
		if _, err := github.New(config); fault.CodeOf(err) != fault.Invalid || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: New() = %v", name, err)
		}
	}
}

func TestTheRepositoryIsFoundInItsURL(t *testing.T) {
	here := github.Config{Repository: "acme/deploy"}
	own := github.Config{Repository: "acme/deploy", API: "https://git.example.com/api/v3/"}
	for url, want := range map[string]github.Config{
		"https://github.com/acme/deploy":                 here,
		"https://x:y@github.com/acme/deploy.git/":        here,
		"git@github.com:acme/deploy.git":                 here,
		"ssh://git@ssh.github.com:443/acme/deploy.git":   here,
		"https://git.example.com/acme/deploy":            own,
		"ssh://git@git.example.com:2222/acme/deploy.git": own,
		"git.example.com:acme/deploy":                    own,
		"https://github.com/deploy":                      {},
		"/srv/acme/deploy.git":                           {},
		"https://git.example.com/a/b/c":                  {},
		"file:///acme/deploy":                            {},
	} {
		if got, ok := github.ConfigOf(url); got != want || ok != (want != github.Config{}) {
			t.Errorf("ConfigOf(%q) = %+v, %v, want %+v", url, got, ok, want)
		}
	}
}
