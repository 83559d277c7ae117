package drive

import "testing"

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
