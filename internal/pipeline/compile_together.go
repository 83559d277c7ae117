package pipeline

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// ComponentRequest is another service of a release, with its own definition. Its fields mean
// what those of a Request do.
type ComponentRequest struct {
	Definition                *Definition
	Version, Artifact, Digest string
	Files                     map[string][]byte
	Manifests                 map[string][]json.RawMessage
	Sealed                    map[string]string
}

// compileAll resolves the definitions of all services of the release, each as if it was
// released alone, and joins them into one plan.
func compileAll(def *Definition, in Request) (*Plan, error) {
	lead, err := compileAlone(def, in)
	if err != nil || len(in.With) == 0 {
		return lead, err
	}
	others, err := inOrder(def, in.With)
	if err != nil {
		return nil, err
	}
	t := together{plan: lead, def: def}
	for _, o := range others {
		alone, err := compileAlone(o.Definition, Request{
			Version: o.Version, Artifact: o.Artifact, Digest: o.Digest, Files: o.Files, Manifests: o.Manifests, Sealed: o.Sealed,
		})
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "%s: %w", o.Definition.Service, err).WithHint("%s", fault.HintOf(err))
		}
		t.others = append(t.others, alone)
	}
	return t.join()
}

// inOrder sorts the other services of a release of the leading one: each after those that it
// needs, else as they are named.
func inOrder(lead *Definition, parts []ComponentRequest) ([]ComponentRequest, error) {
	given := map[string]*Definition{lead.Service: lead}
	request := map[string]ComponentRequest{}
	for _, p := range parts {
		name := p.Definition.Service
		if given[name] != nil {
			return nil, fault.Errorf(fault.Invalid, "%s is in the release twice", name).WithHint("name each service once")
		}
		given[name], request[name] = p.Definition, p
	}
	var all []ComponentRequest
	done := map[string]bool{}
	var visit func(name string, way []string) error
	visit = func(name string, way []string) error {
		way = append(way, name)
		for _, needed := range given[name].withNames() {
			switch i := slices.Index(way, needed); {
			case i >= 0:
				return fault.Errorf(fault.Invalid, "services need each other in a circle: %s", strings.Join(append(slices.Clone(way[i:]), needed), " needs ")).
					WithHint("one of them has to go first: take it out of the other's `with`")
			case given[needed] == nil || done[needed]:
				continue
			}
			if err := visit(needed, way); err != nil {
				return err
			}
		}
		if done[name] = true; name != lead.Service {
			all = append(all, request[name])
		}
		return nil
	}
	if err := visit(lead.Service, nil); err != nil {
		return nil, err
	}
	for _, p := range parts {
		if name := p.Definition.Service; !done[name] {
			return nil, fault.Errorf(fault.Invalid, "nothing says that %s is released together with %s", name, lead.Service).
				WithHint("name it in the definition of %s, before those that need it: with: %s", lead.Service, exampleWith(lead, name))
		}
	}
	return all, nil
}

func exampleWith(lead *Definition, name string) string {
	return "[" + strings.Join(append(lead.withNames(), name), ", ") + "]"
}

// together joins the plans of several services into that of the leading one.
type together struct {
	plan   *Plan
	def    *Definition
	others []*Plan
}

func (t together) join() (*Plan, error) {
	p := *t.plan
	p.Version, p.Environments = togetherVersion, nil
	goes := map[string]bool{}
	for _, in := range environmentsOf(t.plan) {
		var parts []part
		for _, alone := range append(slices.Clone(t.others), t.plan) {
			if one := partOf(alone, in); len(one.places) > 0 {
				parts = append(parts, one)
				goes[alone.Service] = true
			}
		}
		entries := t.alone(in)
		if len(parts) > 1 {
			var err error
			if entries, err = t.environment(in, parts); err != nil {
				return nil, err
			}
		}
		p.Environments = append(p.Environments, entries...)
	}
	for _, alone := range t.others {
		if !goes[alone.Service] {
			return nil, fault.Errorf(fault.Invalid, "%s has no environment that %s goes to", alone.Service, p.Service).
				WithHint("%s goes to %s", p.Service, list(environmentsOf(t.plan), "and"))
		}
		c := alone.Component
		c.ExpectedRate, c.ExpectedErrors = alone.ExpectedRate, alone.ExpectedErrors
		p.With = append(p.With, c)
		p.Supersede = p.Supersede && alone.Supersede
	}
	return &p, nil
}

// alone are the entries of an environment that only the leading service goes to.
func (t together) alone(in string) []Environment {
	return slices.DeleteFunc(slices.Clone(t.plan.Environments), func(e Environment) bool { return e.In() != in })
}

// environmentsOf are the names of a plan's environments, in their order.
func environmentsOf(p *Plan) []string {
	var names []string
	for i := range p.Environments {
		if in := p.Environments[i].In(); !slices.Contains(names, in) {
			names = append(names, in)
		}
	}
	return names
}
