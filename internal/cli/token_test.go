package cli_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/cli"
)

func TestWhoHasNoTokenIsToldWhereOneMayComeFrom(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hint := "send a token as 'Authorization: Bearer TOKEN'"
		if r.Header.Get("Authorization") != "" {
			hint = "make another token"
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"status": 401, "code": "denied", "detail": "nobody", "hint": "`+hint+`"}`)
	}))
	defer server.Close()
	t.Setenv("FAIRWAY_TOKEN", "")
	t.Setenv("FAIRWAY_DATA_DIR", t.TempDir())
	for _, c := range []struct {
		args, want []string
	}{
		{nil, []string{"FAIRWAY_TOKEN", "--token", "FAIRWAY_DATA_DIR"}},
		{[]string{"--token", "wrong"}, []string{"make another token"}},
	} {
		var errOut bytes.Buffer
		root := cli.New("test", nil, nil)
		root.SetArgs(append([]string{"status", "--server", server.URL}, c.args...))
		root.SetErr(&errOut)
		if code := cli.Execute(t.Context(), root); code != cli.ExitDenied {
			t.Errorf("fairway status %v ended with %d", c.args, code)
		}
		for _, word := range c.want {
			if !strings.Contains(errOut.String(), word) {
				t.Errorf("fairway status %v does not speak of %s:\n%s", c.args, word, errOut.String())
			}
		}
		if strings.Contains(errOut.String(), "Authorization") {
			t.Errorf("fairway status %v speaks of headers:\n%s", c.args, errOut.String())
		}
	}
}
