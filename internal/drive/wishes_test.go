package drive

import (
	"context"
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
	}
	for _, c := range []struct {
		free  []Place
		woken []string
	}{
		{nil, nil},
		{[]Place{{"production", "eu"}}, []string{"all", "production", "eu"}},
		{[]Place{{"production", "us"}}, []string{"all", "production"}},
		{[]Place{{"production", "us"}, {"staging", ""}}, []string{"all", "production", "staging"}},
		{[]Place{{"test", ""}}, []string{"all"}},
		{[]Place{Anywhere}, []string{"all", "production", "eu", "staging"}},
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
	if got := put(free, same, held); len(got) != 1 || got[0] != (Place{"production", "eu"}) {
		t.Errorf("free tasks are in %v", got)
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

func (s *taken) LeasableTasks(time.Time, []string, []string, int) ([]TaskRow, error) {
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
		tasks, err := New(Config{Store: s}).Lease(t.Context(), LeaseAsk{Worker: "w1", Max: 1, Wait: time.Second})
		if err != nil || len(tasks) != 0 {
			t.Fatal(tasks, err)
		}
		if s.tries < 20 || s.tries > 110 {
			t.Errorf("within a second it was tried %d times", s.tries)
		}
	})
}
