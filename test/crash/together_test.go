//go:build linux

package main

import (
	"slices"
	"testing"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/router"
)

func TestALedServiceIsReleasedAloneOnlyWhereItsLeaderRests(t *testing.T) {
	bank := &service{name: "bank", outcomes: []outcome{good}}
	shop := &service{name: "shop", with: bank, outcomes: []outcome{badFirst, rests, queues}}
	c := &campaign{rig: &rig{fleet: []*service{shop, bank}}, turns: map[*service]int{}}
	for round, want := range []string{
		"shop good-0 with bank bad-0", "bank good-1", "bank good-2, shop queues-2 with bank queues-2", "shop good-3 with bank bad-3",
	} {
		c.round = round
		if flights := c.flights(c.nextOutcome); tell(flights) != want {
			t.Errorf("round %d has %s, not %s", round, tell(flights), want)
		}
	}
}

func TestAVersionWithoutTheOneItNeedsIsNoticed(t *testing.T) {
	production := place{name: "production"}
	bank := &service{name: "bank", places: []place{production}}
	shop := &service{name: "shop", with: bank, places: []place{{name: "staging"}, production}}
	plan := &pipeline.Plan{Component: pipeline.Component{Digest: "b"}, Service: "shop", Environments: []pipeline.Environment{
		{Name: "staging"}, {Name: "production:bank", Service: "bank"}, {Name: "production:shop", Service: "shop"},
	}, With: []pipeline.Component{{Service: "bank", Digest: "a"}}}
	s := &sampler{}
	done := s.demand(needs(shop, plan))
	next, needed := plan.Revision(&plan.Environments[2]), plan.Revision(&plan.Environments[1])
	look := func(leading, led router.Arm) []string {
		s.lookAtNeeds(router.Table{Routes: map[string]router.Route{
			"shop/production": {Arms: []router.Arm{leading}}, "bank/production": {Arms: []router.Arm{led}},
		}})
		return s.take()
	}
	for _, c := range []struct {
		leading, led router.Arm
		wrong        bool
	}{
		{router.Arm{Revision: "old", Weight: router.Whole}, router.Arm{Revision: "old", Weight: router.Whole}, false},
		{router.Arm{Revision: "old", Weight: router.Whole}, router.Arm{Revision: needed, Weight: 5}, false},
		{router.Arm{Revision: next, Weight: 5}, router.Arm{Revision: needed, Weight: router.Whole}, false},
		{router.Arm{Revision: next, Weight: 5}, router.Arm{Revision: needed, Weight: router.Whole - 1}, true},
		{router.Arm{Revision: next, Weight: 5}, router.Arm{Revision: "old", Weight: router.Whole}, true},
	} {
		if wrong := look(c.leading, c.led); (len(wrong) > 0) != c.wrong {
			t.Errorf("with %v and %v it noticed %q", c.leading, c.led, wrong)
		}
	}
	done()
	if wrong := look(router.Arm{Revision: next, Weight: 5}, router.Arm{}); len(wrong) > 0 || slices.Concat(s.needs...) != nil {
		t.Errorf("it still looks: %q, %v", wrong, s.needs)
	}
}
