package pipeline

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// restOfRegions is the word for all regions that no wave names.
const restOfRegions = "rest"

// decodeWave reads the name of a region, or a list of names.
func (d *decoder) decodeWave(w *WaveDefinition, n ast.Node, path string, f field) {
	name := field{name: f.name, example: f.example, tag: `check:"name"`}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		var only string
		d.decode(reflect.ValueOf(&only).Elem(), n, path+"[0]", name)
		*w = WaveDefinition{only}
		return
	}
	if len(seq.Values) == 0 {
		d.fault(nodePlace(n), "leave the wave out, or name its regions", "a wave has no region")
	}
	*w = make(WaveDefinition, len(seq.Values))
	for i, item := range seq.Values {
		d.decode(reflect.ValueOf(&(*w)[i]).Elem(), item, fmt.Sprintf("%s[%d]", path, i), name)
	}
}

// waves checks the regions of an environment and the order in which it names them.
func (v *validator) waves(path string, e *EnvironmentDefinition) {
	if !v.known(path + ".regions") {
		for key, wrong := range map[string]bool{"waves": len(e.Waves) > 0, "bake": e.Bake > 0, "takeBack": e.TakeBack != ""} {
			if wrong {
				v.fault(v.key(path+"."+key), "name the regions, for instance: regions: [eu-west-1, us-east-1]",
					"the environment %q has %q and no regions", e.Name, key)
			}
		}
		return
	}
	if e.Region != "" {
		v.fault(v.key(path+".region"), "leave `region` out: `regions` names them all", "the environment %q has a region and regions", e.Name)
	}
	known := v.regions(path, e)
	if len(e.Waves) > 0 {
		v.namedOnce(path, e, known)
	}
}

// regions checks the list of an environment's regions and returns their names.
func (v *validator) regions(path string, e *EnvironmentDefinition) []string {
	var names []string
	for i := range e.Regions {
		r, at := &e.Regions[i], fmt.Sprintf("%s.regions[%d]", path, i)
		switch {
		case r.Name == "":
		case r.Name == restOfRegions:
			v.fault(v.at(at), "give it another name", "%q is the word for all other regions, and no region's name", r.Name)
		case slices.Contains(names, r.Name):
			v.fault(v.at(at), "name it once", "the region %q is there twice in %q", r.Name, e.Name)
		default:
			names = append(names, r.Name)
		}
		v.config(at+".config", r.Config, e.Config)
		v.metrics(at+".metrics", r.Metrics)
		if r.Host != nil {
			v.sticky(at+".host", r.Host)
		}
	}
	return names
}

// namedOnce checks that the waves name every region once.
func (v *validator) namedOnce(path string, e *EnvironmentDefinition, known []string) {
	named := map[string]place{}
	rest := false
	for i, wave := range e.Waves {
		for j, name := range wave {
			at := v.at(fmt.Sprintf("%s.waves[%d][%d]", path, i, j))
			first, twice := named[name]
			switch {
			case name == "":
			case name == restOfRegions && rest:
				v.fault(at, "keep the last one", "%q is there twice in the waves of %q", name, e.Name)
			case name == restOfRegions:
				rest = true
				if i < len(e.Waves)-1 || len(wave) > 1 {
					v.fault(at, "put it at the end, alone: it is all regions that no wave before it names", "%q is not the last wave of %q", name, e.Name)
				}
			case !slices.Contains(known, name):
				v.fault(at, meant(name, append(slices.Clone(known), restOfRegions), "the regions are ", "and"), "a wave of %q names the region %q, which it does not have", e.Name, name)
			case twice:
				v.fault(at, "name it once", "the region %q is in two places of the waves of %q, first on line %d", name, e.Name, first.line)
			default:
				named[name] = at
			}
		}
	}
	if rest {
		return
	}
	for i, r := range e.Regions {
		if _, ok := named[r.Name]; !ok && slices.Contains(known, r.Name) {
			v.fault(v.at(fmt.Sprintf("%s.regions[%d]", path, i)), "name it in a wave, or end the waves with `rest`", "the region %q of %q is in no wave", r.Name, e.Name)
		}
	}
}

// inWaves are the environment's regions by wave: as it says, else each by itself.
func (e *EnvironmentDefinition) inWaves() [][]RegionDefinition {
	left := slices.Clone(e.Regions)
	waves := e.Waves
	if len(waves) == 0 {
		for _, r := range e.Regions {
			waves = append(waves, WaveDefinition{r.Name})
		}
	}
	var all [][]RegionDefinition
	for _, names := range waves {
		var wave []RegionDefinition
		for _, name := range names {
			if name == restOfRegions {
				wave = append(wave, left...)
				left = nil
			} else if i := slices.IndexFunc(left, func(r RegionDefinition) bool { return r.Name == name }); i >= 0 {
				wave = append(wave, left[i])
				left = slices.Delete(left, i, i+1)
			}
		}
		if len(wave) > 0 {
			all = append(all, wave)
		}
	}
	return all
}
