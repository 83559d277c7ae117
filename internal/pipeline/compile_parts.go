package pipeline

import (
	"reflect"
	"slices"

	"github.com/fairwayhq/fairway/internal/fault"
)

// part is what one service has of an environment: the stages that are done once, and the
// entries that have a target.
type part struct {
	service string
	once    []Stage
	places  []Environment
	regions bool
}

// partOf is the part of a service's own plan; without places where it does not go there.
func partOf(alone *Plan, in string) part {
	one := part{service: alone.Service}
	for _, e := range alone.Environments {
		switch {
		case e.In() != in:
			continue
		case e.Leg != nil && e.Wave() == 0:
			one.once = e.Stages
			continue
		case e.Leg == nil:
			once := slices.IndexFunc(e.Stages, func(s Stage) bool { return s.Kind.OnWorker() })
			one.once, e.Stages = e.Stages[:once:once], e.Stages[once:]
		}
		one.places, one.regions = append(one.places, e), e.Leg != nil
	}
	return one
}

// environment joins what the services have of an environment. The leading one is the last,
// and says what the waves are.
func (t together) environment(in string, parts []part) ([]Environment, error) {
	lead := &parts[len(parts)-1]
	for i := range parts[:len(parts)-1] {
		if err := sameRegions(in, &parts[i], lead); err != nil {
			return nil, err
		}
	}
	needs, err := t.needs(in, parts)
	if err != nil {
		return nil, err
	}
	var entries []Environment
	if once := doneOnce(parts); len(once) > 0 {
		head := lead.places[0]
		head.Name, head.Region, head.Stages = in, "", once
		head.Leg = &Leg{Environment: in, TakeBack: takeBackOf(&head)}
		head.Settings, head.Sealed, head.Config, head.Metrics, head.Git = nil, "", Config{}, Metrics{}, nil
		entries = append(entries, head)
	}
	for first := 0; first < len(lead.places); {
		end := first + 1
		for end < len(lead.places) && lead.places[end].Wave() == lead.places[first].Wave() {
			end++
		}
		for step := range parts {
			entries = append(entries, parts[step].wave(in, step+1, lead.places[first:end])...)
		}
		first = end
	}
	roles := skippers(parts)
	for i := range entries {
		entries[i].Needs, entries[i].SkipRoles = needs, roles
	}
	return entries, nil
}

// wave is what the service has of one of the leading one's waves.
func (s *part) wave(in string, step int, wave []Environment) []Environment {
	var entries []Environment
	for i := range wave {
		e := s.places[slices.IndexFunc(s.places, func(e Environment) bool { return e.Name == wave[i].Name })]
		leg := Leg{Environment: in, Wave: max(wave[i].Wave(), 1), Step: step, TakeBack: takeBackOf(&wave[i])}
		if wave[i].Leg != nil {
			leg.Bake = wave[i].Leg.Bake
		}
		if e.Leg != nil {
			leg.ExpectedRate = e.Leg.ExpectedRate
		}
		e.Name, e.Service, e.Leg = EntryName(e.Name, s.service), s.service, &leg
		entries = append(entries, e)
	}
	return entries
}

func takeBackOf(e *Environment) TakeBack {
	if e.Leg != nil {
		return e.Leg.TakeBack
	}
	return TakeBackAll
}

// sameRegions refuses services that are in other regions than the one that leads.
func sameRegions(in string, other, lead *part) error {
	names := func(s *part) []string {
		var all []string
		for _, e := range s.places {
			all = append(all, e.Name)
		}
		slices.Sort(all)
		return all
	}
	if slices.Equal(names(other), names(lead)) {
		return nil
	}
	return fault.Errorf(fault.Invalid, "%s and %s have other regions in %s", other.service, lead.service, in).
		WithHint("services that are released together go to the same regions: %s has %s, %s has %s", lead.service, regionsIn(lead), other.service, regionsIn(other))
}

func regionsIn(s *part) string {
	var all []string
	for _, e := range s.places {
		if e.Leg != nil {
			all = append(all, e.Region)
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return list(all, "and")
}

// needs are those of all services, the longest time of each. A service's own needs are kept
// by whoever leads it.
func (t together) needs(in string, parts []part) ([]Need, error) {
	var all []Need
	for _, s := range parts {
		for _, n := range s.places[0].Needs {
			place := func(name string) int {
				return slices.IndexFunc(t.def.Environments, func(e EnvironmentDefinition) bool { return e.Name == name })
			}
			switch at := place(n.Environment); {
			case at >= place(in):
				return nil, fault.Errorf(fault.Invalid, "%s needs %s before %s, and %s goes there after it", s.service, n.Environment, in, t.def.Service).
					WithHint("release %s alone, or change the order of the environments of %s", s.service, t.def.Service)
			case at < 0:
				return nil, fault.Errorf(fault.Invalid, "%s needs %s before %s, and %s does not go there", s.service, n.Environment, in, t.def.Service).
					WithHint("release %s alone, or give %s the environment %s", s.service, t.def.Service, n.Environment)
			}
			if i := slices.IndexFunc(all, func(o Need) bool { return o.Environment == n.Environment }); i >= 0 {
				all[i].For = max(all[i].For, n.For)
			} else {
				all = append(all, n)
			}
		}
	}
	return all, nil
}

// skippers are the roles that may skip the environment by each of the definitions.
func skippers(parts []part) []string {
	roles := slices.Clone(parts[0].places[0].SkipRoles)
	for _, s := range parts[1:] {
		roles = slices.DeleteFunc(roles, func(role string) bool { return !slices.Contains(s.places[0].SkipRoles, role) })
	}
	if len(roles) == 0 {
		return []string{adminRole}
	}
	return roles
}

// doneOnce are the stages before the first of a worker, of all services in their order. A
// gate is about the artifact of the service that asks for it; the same approval, which is for
// the plan, is asked for once.
func doneOnce(parts []part) []Stage {
	var all, others []Stage // others are those of the services before
	lead := &parts[len(parts)-1]
	for i := range parts {
		others = slices.Clone(all)
		for _, s := range parts[i].once {
			sameAs := func(o Stage) bool {
				return o.Kind == KindApproval && reflect.DeepEqual(o.Approval, s.Approval) && o.TimeLimit == s.TimeLimit
			}
			other := i < len(parts)-1
			if s.Kind == KindApproval && (slices.ContainsFunc(others, sameAs) || other && slices.ContainsFunc(lead.once, sameAs)) {
				continue
			}
			if other {
				s.Name = EntryName(s.Name, parts[i].service)
			}
			if other && s.Kind != KindApproval {
				s.Service = parts[i].service
			}
			all = append(all, s)
		}
	}
	return all
}
