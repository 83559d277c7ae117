package pipeline

import "slices"

// legs resolves an environment with regions: first the stages that are done once, then a
// leg for each region, in the order of the waves.
func (c *compiler) legs(def EnvironmentDefinition) []Environment {
	fillDefaults(&def)
	waves, expect := def.inWaves(), c.def.Expect
	expect.Rate /= Rate(len(def.Regions))
	whole := c.environment(def)
	whole.Stages = c.compileStages(def, expect)
	leg := Leg{Environment: def.Name, TakeBack: TakeBack(def.TakeBack)}

	var all []Environment
	// Every environment has a stage that brings the release up.
	once := slices.IndexFunc(whole.Stages, func(s Stage) bool { return s.Kind.OnWorker() })
	if once > 0 {
		head, first := whole, leg
		head.Leg, head.Stages = &first, whole.Stages[:once:once]
		head.Settings, head.Sealed, head.Config, head.Metrics, head.Git = nil, "", Config{}, Metrics{}, nil
		all = append(all, head)
	}
	for i, wave := range waves {
		for _, r := range wave {
			one, own := c.region(whole, def, r), leg
			own.Wave, own.ExpectedRate = i+1, float64(expect.Rate)
			if i > 0 {
				own.Bake = def.Bake
			}
			one.Name, one.Region, one.Leg, one.Stages = LegName(def.Name, r.Name), r.Name, &own, whole.Stages[once:]
			all = append(all, one)
		}
	}
	return all
}

// region is the environment as it is in one of its regions.
func (c *compiler) region(whole Environment, def EnvironmentDefinition, r RegionDefinition) Environment {
	if r.Host != nil {
		host := mergeHost(def.Host, r.Host)
		def.Host = &host
		whole.Settings = c.settings(def)
	}
	if r.Metrics != nil {
		whole.Metrics = compileMetrics(c.def.Metrics, r.Metrics)
	}
	own := c.config(r.Config)
	whole.Config = Config{
		Env:     laidOver(whole.Config.Env, own.Env),
		Files:   slices.Concat(without(whole.Config.Files, own.Files), own.Files),
		Secrets: laidOver(whole.Config.Secrets, own.Secrets),
	}
	return whole
}

// laidOver is the base with what the top says in its place; neither is changed.
func laidOver(base, top map[string]string) map[string]string {
	if len(top) == 0 {
		return base
	}
	all := make(map[string]string, len(base)+len(top))
	for _, layer := range []map[string]string{base, top} {
		for k, v := range layer {
			all[k] = v
		}
	}
	return all
}

// without leaves out the files that others take the place of.
func without(files, others []ConfigFile) []ConfigFile {
	return slices.DeleteFunc(slices.Clone(files), func(f ConfigFile) bool {
		return slices.ContainsFunc(others, func(o ConfigFile) bool { return o.Path == f.Path })
	})
}
