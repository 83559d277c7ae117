//go:build linux

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestCutOffAWorkerOnlyMakesThingsSafer is the command in its short form.
func TestCutOffAWorkerOnlyMakesThingsSafer(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a server, workers and services, and takes about a minute")
	}
	t.Chdir("../..")
	r, err := run(t.Context(), options{
		cuts: 6, cut: 8 * time.Second, cells: 3, lease: 4 * time.Second, plain: 1,
		seed: uint64(time.Now().UnixNano()), limit: 5 * time.Minute, out: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.print(t.Output()); err != nil {
		t.Fatal(err)
	}
	if len(r.cuts) != 6 || len(r.faults) > 0 {
		t.Errorf("%d of 6 cuts were made; what went wrong: %q", len(r.cuts), r.faults)
	}
	if r.late() > 0 || r.double > 0 || r.accepted == 0 {
		t.Errorf("%d steps forward while cut off, %d of %d verbs against a newer fence", r.late(), r.double, r.accepted)
	}
	if n := r.unwatched(); n > 0 {
		t.Errorf("%d bad versions kept their traffic to the end of the cut", n)
	}
}

func TestAVerbAgainstANewerFenceIsFound(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	lines := "20 9 verb route shop/production 7 ok 10\n" +
		"25 9 verb place shop/production 6 ok 15\n" + // began before the other had ended
		"40 9 verb place shop/production 6 ok 30\n" +
		"60 9 verb place shop/production 5 fenced 50\n" +
		"70 9 verb route shop/staging 2 ok 65\n" +
		"80 9 lease shop/production 8\n"
	if err := os.WriteFile(trace, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	if accepted, double, err := doubles(trace); accepted != 4 || double != 1 || err != nil {
		t.Errorf("%d of %d verbs were found: %v", double, accepted, err)
	}
}

func TestWhatIsAStepForward(t *testing.T) {
	for _, c := range []struct {
		a, b look
		want bool
	}{
		{look{fresh: 0, kept: true}, look{fresh: 200_000, kept: true}, true},
		{look{fresh: 200_000, kept: true}, look{fresh: 200_000, kept: true}, false},
		{look{fresh: 200_000, kept: true}, look{fresh: 0, kept: true}, false},
		{look{fresh: 1_000_000, kept: true}, look{fresh: 1_000_000}, true},
		{look{fresh: 0, kept: true}, look{fresh: 0}, false},
	} {
		if forward(c.a, c.b) != c.want {
			t.Errorf("from %+v to %+v is forward: %t", c.a, c.b, !c.want)
		}
	}
}

func TestWhenTheTrafficWasTakenBack(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	first, gone := back([]look{{at: at(1)}, {at: at(2), fresh: 5}, {at: at(3), fresh: 9}, {at: at(4)}, {at: at(5), fresh: 1}})
	if !first.Equal(at(2)) || !gone.Equal(at(4)) {
		t.Errorf("it had traffic from %s to %s", first, gone)
	}
	if _, gone := back([]look{{at: at(1), fresh: 5}}); !gone.IsZero() {
		t.Errorf("what was never taken back was at %s", gone)
	}
}
