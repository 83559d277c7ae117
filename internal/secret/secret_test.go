package secret_test

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/secret"
)

func TestReferencesAreResolvedOnTheWorker(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("two\nlines\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OF_THE_WORKER", "hunter2")
	got, err := secret.Resolve(map[string]string{"KEY": "file:" + file, "PASSWORD": "env:OF_THE_WORKER"})
	if diff := cmp.Diff(map[string]string{"KEY": "two\nlines", "PASSWORD": "hunter2"}, got); diff != "" || err != nil {
		t.Errorf("resolved: %s %v", diff, err)
	}
	for reference, want := range map[string]string{
		"file:/no/such/file": "no such file", "env:NOBODY_SETS_THIS": "NOBODY_SETS_THIS", "hunter2": "does not begin with",
	} {
		_, err := secret.Resolve(map[string]string{"LOST": reference})
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "LOST") {
			t.Errorf("%s: %v", reference, err)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("what may be the secret itself is told: %v", err)
		}
	}
}

func TestLittleIsInherited(t *testing.T) {
	t.Setenv("FAIRWAY_TOKEN", "hunter2")
	t.Setenv("TZ", "UTC")
	env := secret.Inherited()
	if env["TZ"] != "UTC" || env["PATH"] == "" {
		t.Errorf("inherited: %v", env)
	}
	if _, leaked := env["FAIRWAY_TOKEN"]; leaked {
		t.Error("the worker's own token is handed on")
	}
}

const pem = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIB\nAQC7VJTUt9Us8cKjMzEfYyjiWA4R4ypb\n-----END KEY-----"

func TestAValueIsMaskedHoweverItIsWritten(t *testing.T) {
	m := secret.NewMask(map[string]string{
		"PW": "hunt&er 2/\"x\"", "KEY": pem, "URL": "postgres://app:tops3cret@db/shop", "SHORT": "abc", "LONG": strings.Repeat("0123456789abcdef", 8),
	})
	basic := base64.StdEncoding.EncodeToString([]byte("user:hunt&er 2/\"x\""))
	long := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("0123456789abcdef", 8)))
	for name, tc := range map[string]struct{ text, want string }{
		"as it is":              {"login with hunt&er 2/\"x\" failed", "login with [secret PW] failed"},
		"escaped for a query":   {"?p=" + url.QueryEscape("hunt&er 2/\"x\""), "?p=[secret PW]"},
		"escaped for a path":    {"/p/" + url.PathEscape("hunt&er 2/\"x\""), "/p/[secret PW]"},
		"quoted":                {`"hunt&er 2/\"x\""`, `"[secret PW]"`},
		"in JSON":               {`{"p":"hunt\u0026er 2/\"x\""}`, `{"p":"[secret PW]"}`},
		"one line of many":      {"read MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIB.", "read [secret KEY]."},
		"all lines":             {pem, "[secret KEY]"},
		"only a URL's password": {"password tops3cret is wrong", "password [secret URL] is wrong"},
		"the whole URL":         {"dial postgres://app:tops3cret@db/shop: no", "dial [secret URL]: no"},
		"too short to mask":     {"abc", "abc"},
	} {
		if got := m.Text(tc.text); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	if got := m.Text(basic); !strings.Contains(got, "[secret PW]") || len(got) > len("dXNlcj[secret PW]==")+4 {
		t.Errorf("basic authentication: %q", got)
	}
	for _, width := range []int{64, 76} {
		if got := m.Text(long[:width] + "\n" + long[width:2*width] + "\n" + long[2*width:]); strings.Contains(got, long[4:20]) || strings.Contains(got, long[width+4:width+20]) {
			t.Errorf("base64 in lines of %d: %q", width, got)
		}
	}
}

func TestAPartOfASecretAtACutIsMasked(t *testing.T) {
	m := secret.NewMask(map[string]string{"PW": "correct-horse"})
	if got := m.Part("t-horse battery correct-ho", true, true); got != "[secret PW] battery [secret PW]" {
		t.Errorf("masked as %q", got)
	}
	if got := m.Part("t-horse battery correct-ho", false, false); got != "t-horse battery correct-ho" {
		t.Errorf("a whole text was masked as %q", got)
	}
}

// However a value is cut out of a longer text, what is told never has more of it
// than the three characters that are too few to know it by.
func TestNoCutTellsASecret(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		value := rapid.StringMatching(`[A-Z]{8,40}`).Draw(rt, "value")
		text := rapid.StringMatching(`[a-z \n]{0,20}`).Draw(rt, "before") + value + rapid.StringMatching(`[a-z \n]{0,20}`).Draw(rt, "after")
		from := rapid.IntRange(0, len(text)).Draw(rt, "from")
		to := rapid.IntRange(from, len(text)).Draw(rt, "to")
		got := secret.NewMask(map[string]string{"name": value}).Part(text[from:to], true, true)
		run := 0
		for _, c := range got {
			if run++; c < 'A' || c > 'Z' {
				run = 0
			}
			if run >= 4 {
				rt.Fatalf("%q tells a part of %q", got, value)
			}
		}
	})
}

func TestNoMaskMasksNothing(t *testing.T) {
	var m *secret.Mask
	if m.Text("plain") != "plain" || m.Part("plain", true, true) != "plain" || secret.NewMask(nil).Text("plain") != "plain" {
		t.Error("a text without secrets was changed")
	}
}
