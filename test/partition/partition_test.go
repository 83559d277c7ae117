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
		cuts: 6, losses: 2, cut: 10 * time.Second, cells: 4, lease: 6 * time.Second, plain: 1, harm: 0.2,
		seed: uint64(time.Now().UnixNano()), limit: 5 * time.Minute, out: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.print(t.Output()); err != nil {
		t.Fatal(err)
	}
	if cuts, losses := r.made(); cuts != 6 || losses != 2 || len(r.faults) > 0 {
		t.Errorf("%d of 6 cuts and %d of 2 losses were made; what went wrong: %q", cuts, losses, r.faults)
	}
	if r.late() > 0 || r.double > 0 || r.accepted == 0 {
		t.Errorf("%d steps forward while cut off, %d of %d verbs against a newer fence", r.late(), r.double, r.accepted)
	}
	if n := r.stayed(); n > 0 {
		t.Errorf("%d bad versions kept their traffic to the end of the cut", n)
	}
	if alone, never := r.alone(); len(alone) == 0 || never > 0 { // one of the two losses meets a canary
		t.Errorf("of %d canaries whose worker was lost, nobody looked at %d until the end of the cut", len(alone), never)
	}
}

func TestLossesAreNoneOfTheCuts(t *testing.T) {
	for _, c := range []struct{ cells, cuts, losses, least, most int }{
		{8, 100, 32, 16, 17}, {4, 6, 2, 2, 2}, {3, 4, 0, 1, 2}, {1, 5, 0, 5, 5}, {8, 3, 1, 0, 1}, {11, 100, 9, 4, 12},
	} {
		var cuts, losses int
		for i := range c.cells {
			cell := &cell{rig: &rig{o: options{cells: c.cells, cuts: c.cuts, losses: c.losses}}, index: i}
			n := cell.share()
			if n < c.least || n > c.most {
				t.Errorf("%d are the share of cell %d of %d", n, i, c.cells)
			}
			if cell.loses() {
				losses += n
			} else {
				cuts += n
			}
		}
		if cuts != c.cuts || losses != c.losses {
			t.Errorf("%d cells make %d cuts of %d and %d losses of %d", c.cells, cuts, c.cuts, losses, c.losses)
		}
	}
}

func TestOnlyCutsCountForWhatIsDoneWhileCutOff(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	back := cutOff{bad: true, first: at(9), began: at(10), gone: at(13), ends: at(70)}
	stayed, late, kept, lost := back, back, back, back
	stayed.gone, late.gone, kept.killed, lost.lost = time.Time{}, at(71), true, true
	kept.gone, lost.gone, lost.late = time.Time{}, time.Time{}, 1
	for _, c := range []struct {
		cuts, losses int
		made         []cutOff
		advances, ok bool
	}{
		{1, 1, []cutOff{back, lost}, true, true},
		{2, 0, []cutOff{back, lost}, false, false}, // a loss is no cut
		{2, 1, []cutOff{back, stayed, lost}, true, false},
		{2, 1, []cutOff{back, late, lost}, true, false},
		{2, 1, []cutOff{back, kept, lost}, true, false},
	} {
		r := &result{cuts: c.made, plains: []time.Duration{4 * time.Second}, options: options{cuts: c.cuts, losses: c.losses}}
		all := r.bars()
		if got := all[0]; got.OK != c.advances || got.Value != 0 {
			t.Errorf("%d cuts and %d losses asked for, %d in all made: %+v", c.cuts, c.losses, len(c.made), got)
		}
		if got := all[1]; got.OK != c.ok || got.Value != 1 {
			t.Errorf("%+v: %+v", c.made, got)
		}
	}
}

func TestForHowLongNobodyLooked(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	seen := cutOff{lost: true, exposed: true, began: at(10), looked: at(41), ends: at(70)}
	never, cut, nothing := seen, seen, seen
	never.looked, cut.lost, nothing.exposed = time.Time{}, false, false
	for _, c := range []struct {
		cuts   []cutOff
		lease  time.Duration
		value  float64
		within bool
	}{
		{[]cutOff{seen, cut, nothing}, 30 * time.Second, 31, true},
		{[]cutOff{seen, nothing, nothing}, 30 * time.Second, 31, false}, // most losses met nothing
		{[]cutOff{seen}, 28 * time.Second, 31, false},
		{[]cutOff{seen, never}, 30 * time.Second, 60, false},
		{[]cutOff{seen, never}, 90 * time.Second, 60, false}, // too short a cut to see it
		{[]cutOff{cut, nothing}, 30 * time.Second, 0, false},
	} {
		r := &result{cuts: c.cuts, options: options{lease: c.lease}}
		if b := r.unwatched(true); b.Value != c.value || b.OK != c.within {
			t.Errorf("%d losses with a lease of %s: %v, within the bar: %t", len(c.cuts), c.lease, b.Value, b.OK)
		}
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
