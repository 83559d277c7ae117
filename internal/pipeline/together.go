package pipeline

import (
	"cmp"
	"slices"
	"strings"
)

// EntryName is the name of the entry of one of several services: "production:shop", or
// "production/eu-west-1:shop". No environment and no region can be called so.
func EntryName(place, service string) string { return place + ":" + service }

// Place is where the entry is: the environment's name, or LegName of a region. The entries of
// all services there have the same.
func (e *Environment) Place() string { return placeIn(e.Name) }

func placeIn(entry string) string {
	place, _, _ := strings.Cut(entry, ":")
	return place
}

// Step is the place of the entry's service in its wave; 0 where it is the only one.
func (e *Environment) Step() int {
	if e.Leg != nil {
		return e.Leg.Step
	}
	return 0
}

// Title names what is released, for sentences: "shop v2", or "shop v2 with payments v3".
func (p *Plan) Title() string {
	others := make([]string, len(p.With))
	for i := range p.With {
		others[i] = p.With[i].title()
	}
	if len(others) == 0 {
		return p.Component.title()
	}
	return p.Component.title() + " with " + list(others, "and")
}

func (c *Component) title() string {
	if c.Version == "" {
		return c.Service
	}
	return c.Service + " " + c.Version
}

// Components are all components of the release, in the order in which they go; the leading
// one is the last.
func (p *Plan) Components() []*Component {
	all := make([]*Component, 0, len(p.With)+1)
	for i := range p.With {
		all = append(all, &p.With[i])
	}
	return append(all, &p.Component)
}

// Services are the names of all services of the release, in the order in which they go.
func (p *Plan) Services() []string {
	var names []string
	for _, c := range p.Components() {
		names = append(names, c.Service)
	}
	names[len(names)-1] = p.Service
	return names
}

// ServiceOf is the service that the entry is about.
func (p *Plan) ServiceOf(e *Environment) string { return cmp.Or(e.Service, p.Service) }

// ComponentAt is the component that a stage of the entry is about.
func (p *Plan) ComponentAt(e *Environment, s *Stage) *Component {
	return p.component(cmp.Or(s.Service, e.Service))
}

// About is the service that a stage of the entry is about and where, as EntryName says it. It
// need not be an entry: what is done once for all regions is about a service in all of them.
func (p *Plan) About(e *Environment, s *Stage) string {
	return EntryName(e.Place(), p.ComponentAt(e, s).Service)
}

// ComponentOf is what the entry places.
func (p *Plan) ComponentOf(e *Environment) *Component { return p.component(e.Service) }

// component is that of the service; an empty name is the leading one.
func (p *Plan) component(service string) *Component {
	if i := slices.IndexFunc(p.With, func(c Component) bool { return c.Service == service }); i >= 0 {
		return &p.With[i]
	}
	return &p.Component
}

// Errors is the error rate to plan with in the entry, in [0, 1]; 0 if not told.
func (p *Plan) Errors(e *Environment) float64 {
	if c := p.ComponentOf(e); c != &p.Component {
		return c.ExpectedErrors
	}
	return p.ExpectedErrors
}

// At is the entry of the service at the place, or nil: what is done once for several is at no
// place.
func (p *Plan) At(service, place string) *Environment {
	for i := range p.Environments {
		e := &p.Environments[i]
		if once := e.Leg != nil && e.Leg.Wave == 0; !once && e.Place() == place && p.ServiceOf(e) == service {
			return e
		}
	}
	return nil
}

// ServicesIn are those that go to the environment, in their order.
func (p *Plan) ServicesIn(environment string) []string {
	var names []string
	for _, e := range p.Places(environment) {
		if s := p.ServiceOf(e); !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	return names
}

// Alone is the plan of a release of the entry's service alone, which goes only there.
func (p *Plan) Alone(e *Environment) *Plan {
	alone, only := *p, *e
	c := p.ComponentOf(e)
	if c != &p.Component {
		alone.Owner, alone.ExpectedRate, alone.ExpectedErrors = "", c.ExpectedRate, c.ExpectedErrors
	}
	alone.Service, alone.Component, alone.With = c.Service, *c, nil
	alone.Component.ExpectedRate, alone.Component.ExpectedErrors = 0, 0
	only.Name, only.Service = e.Place(), ""
	if e.Place() == e.In() {
		only.Leg = nil
	} else if e.Leg != nil {
		leg := *e.Leg
		leg.Step, only.Leg = 0, &leg
	}
	alone.Environments = []Environment{only}
	return &alone
}
