package bar_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/bar"
)

func TestOnlyThePartsThatWereAskedForAreMeasured(t *testing.T) {
	var done []string
	part := func(name string, err error) bar.Part {
		return bar.Part{Name: name, Measure: func(context.Context) ([]bar.Bar, error) {
			done = append(done, name)
			return []bar.Bar{bar.AtMost(name, 1, "s", 2)}, err
		}}
	}
	parts := []bar.Part{part("bad", nil), part("good", nil), part("broken", errors.New("no cluster"))}
	for _, c := range []struct{ only, done, wrong string }{
		{"good,bad", "bad good", ""},
		{"good", "good", ""},
		{"", "bad good broken", "broken: no cluster"},
		{"good,better", "", `no part "better"; the parts are bad, good, broken`},
	} {
		done = nil
		var out bytes.Buffer
		err := bar.Measure(t.Context(), &out, parts, c.only)
		if got := strings.Join(done, " "); got != c.done {
			t.Errorf("asked for %q it measured %q, not %q", c.only, got, c.done)
		}
		switch {
		case c.wrong == "" && (err != nil || strings.Count(out.String(), `"name"`) != len(done)):
			t.Errorf("asked for %q it printed (%v)\n%s", c.only, err, &out)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("asked for %q it says %v, not %q", c.only, err, c.wrong)
		}
	}
}
