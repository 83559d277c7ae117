package drive

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestOnlyWhoMayHaveAFreeTaskIsWoken(t *testing.T) {
	asks := map[string]LeaseAsk{
		"all":        {},
		"production": {Environments: []string{"production"}},
		"eu":         {Environments: []string{"production"}, Regions: []string{"eu"}},
		"staging":    {Environments: []string{"staging"}},
		"full":       {Environments: []string{"production"}, Full: true},
		"full eu":    {Environments: []string{"production"}, Regions: []string{"eu"}, Full: true},
	}
	for _, c := range []struct {
		free  []Place
		woken []string
	}{
		{nil, nil},
		{[]Place{{"production", "eu", false}}, []string{"all", "production", "eu"}},
		{[]Place{{"production", "eu", true}}, []string{"all", "production", "eu", "full", "full eu"}},
		{[]Place{{"production", "us", false}, {"production", "us", true}}, []string{"all", "production", "full"}},
		{[]Place{{"production", "us", false}}, []string{"all", "production"}},
		{[]Place{{"production", "us", false}, {"staging", "", false}}, []string{"all", "production", "staging"}},
		{[]Place{{"test", "", false}}, []string{"all"}},
		{[]Place{Anywhere}, []string{"all", "production", "eu", "staging", "full", "full eu"}},
	} {
		var w wishes
		waiting := map[string]<-chan struct{}{}
		for name, ask := range asks {
			freed, stop := w.wait(ask)
			defer stop()
			waiting[name] = freed
		}
		w.tell(c.free)
		w.tell(c.free) // nobody need have looked in between
		woken := map[string]bool{}
		for name, freed := range waiting {
			select {
			case <-freed:
				woken[name] = true
			default:
			}
		}
		if len(woken) != len(c.woken) {
			t.Errorf("%v woke %v, want %v", c.free, woken, c.woken)
		}
		for _, name := range c.woken {
			if !woken[name] {
				t.Errorf("%v did not wake %s", c.free, name)
			}
		}
	}
}

func TestATransitionTellsWhereItLeavesFreeTasks(t *testing.T) {
	put := func(rows ...TaskRow) []Place {
		tr := transition{put: map[[2]string]TaskRow{}}
		for _, row := range rows {
			tr.put[[2]string{row.Release, row.Entry}] = row
		}
		return tr.free()
	}
	free := TaskRow{Release: "r1", Entry: "production/eu", Environment: "production", Region: "eu"}
	same, held := free, free
	same.Release, held.Entry, held.Region, held.Holder = "r2", "production/us", "us", "w1"
	if got := put(free, same, held); len(got) != 1 || got[0] != (Place{"production", "eu", false}) {
		t.Errorf("free tasks are in %v", got)
	}
	same.Undo = true
	if got := put(free, same, held); len(got) != 2 || !slices.Contains(got, Place{"production", "eu", true}) {
		t.Errorf("free tasks, one of which undoes, are in %v", got)
	}
}

// taken is a store in which a task is free whose service's turn others have all the time.
type taken struct {
	Tx
	tries    int
	writable bool
}

func (s *taken) View(_ context.Context, f func(Tx) error) error { return f(&taken{}) }

func (s *taken) Update(_ context.Context, f func(Tx) error) error {
	s.tries++
	return f(&taken{writable: true})
}

func (s *taken) LeasableTasks(time.Time, Wanted) ([]TaskRow, error) {
	if s.writable {
		return nil, nil
	}
	return []TaskRow{{ID: "t1", Environment: "production", Entry: "production"}}, nil
}

// A task that cannot be given only because of another transaction is tried again soon, though
// nobody tells when that ends.
func TestATaskWhoseTurnIsTakenIsTriedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &taken{}
		tried := func(wait time.Duration) int {
			s.tries = 0
			tasks, err := New(Config{Store: s}).Lease(t.Context(), LeaseAsk{Worker: "w1", Max: 1, Wait: wait})
			if err != nil || len(tasks) != 0 {
				t.Fatal(tasks, err)
			}
			return s.tries
		}
		if n := tried(300 * time.Millisecond); n < 4 {
			t.Errorf("within 0.3 s it was tried %d times", n)
		}
		// Who has the turn may have been stopped in its middle.
		if n := tried(10 * time.Second); n > 25 {
			t.Errorf("within ten seconds it was tried %d times", n)
		}
	})
}
