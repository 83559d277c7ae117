package main

import (
	"slices"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/router"
)

// need is what must hold at every moment while two services move in one release: the new
// revision of the one that leads has traffic only where all of the other one's goes to its new one.
type need struct {
	target, revision string
	other, of        string
}

// needs are those of a release of the service.
func needs(s *service, p *pipeline.Plan) (all []need) {
	if s.with == nil {
		return nil
	}
	for _, place := range s.places {
		leading, led := p.At(s.name, place.name), p.At(s.with.name, place.name)
		if leading == nil || led == nil {
			continue
		}
		all = append(all, need{
			s.target(place).String(), p.Revision(leading), s.with.target(place).String(), p.Revision(led),
		})
	}
	return all
}

// demand looks at the needs until the returned function is called. Before there are
// users there is no sampler, and nothing is looked at.
func (s *sampler) demand(all []need) (done func()) {
	if s == nil || len(all) == 0 {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.needs = append(s.needs, all)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.needs = slices.DeleteFunc(s.needs, func(n []need) bool { return &n[0] == &all[0] })
	}
}

func (s *sampler) lookAtNeeds(table router.Table) {
	s.mu.Lock()
	demanded := slices.Concat(s.needs...)
	s.mu.Unlock()
	for _, n := range demanded {
		needing, needed := weight(table, n.target, n.revision), weight(table, n.other, n.of)
		if needing > 0 && needed != router.Whole {
			s.note("%s gives %d parts of the traffic to revision %s, while %s gives %d to revision %s, which it needs",
				n.target, needing, n.revision, n.other, needed, n.of)
		}
	}
}

func weight(table router.Table, target, revision string) int {
	route := table.Routes[target]
	arm, _ := route.Arm(revision)
	return arm.Weight
}
