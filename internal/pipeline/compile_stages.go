package pipeline

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The time limits of the kinds where a stage does not set its own.
const (
	gateLimit    = Duration(7 * 24 * time.Hour)
	deployLimit  = Duration(10 * time.Minute)
	checkLimit   = Duration(5 * time.Minute)
	jobLimit     = Duration(30 * time.Minute)
	promoteLimit = Duration(10 * time.Minute)
	notifyLimit  = Duration(time.Minute)
	// analysisGrace is what a canary or watch may take beyond its own time: bringing
	// capacity up, dwelling, and samples that were missing for a while.
	analysisGrace = Duration(30 * time.Minute)
	// minimumAge is the least age at the end of a watch whose time is left open.
	minimumAge = Duration(30 * time.Minute)
)

// The defaults of a rolling promotion; they do not hold for the other strategies.
const (
	defaultBatches = 4
	defaultPause   = Duration(30 * time.Second)
)

// compileStages resolves the stages of one environment, in order, with the final
// promote where it is implied.
func compileStages(defs []StageDefinition, expect ExpectDefinition) []Stage {
	if len(defs) == 0 {
		defs = defaultStages
	}
	defs = withHoldback(withPromote(defs), expect)
	names := stageNames(defs)
	stages := make([]Stage, len(defs))
	var canary *CanaryDefinition
	for i, def := range defs {
		def.Name = names[i]
		if def.Canary != nil {
			canary = def.Canary
		}
		stages[i] = compileStage(def, canary, holdbackAfter(defs[i+1:]))
	}
	return stages
}

// withPromote adds the promote that an environment ends with while both arms run.
func withPromote(defs []StageDefinition) []StageDefinition {
	open := false
	for i, def := range defs {
		switch def.Kind() {
		case KindCanary:
			open = true
		case KindPromote:
			open = !open && watchAhead(defs[i+1:])
		}
	}
	if !open {
		return defs
	}
	return append(slices.Clone(defs), StageDefinition{Promote: &PromoteDefinition{Strategy: string(Direct)}})
}

// holdbackAfter is the share that the watch ahead, if there is one, keeps on the old revision.
func holdbackAfter(rest []StageDefinition) float64 {
	if !watchAhead(rest) {
		return 0
	}
	for _, def := range rest {
		if def.Watch != nil {
			return float64(*def.Watch.Holdback)
		}
	}
	return 0
}

// stageNames gives every stage a name: its own, else its kind, else kind-2, kind-3 and so on.
func stageNames(defs []StageDefinition) []string {
	names := make([]string, len(defs))
	taken := map[string]bool{}
	for i, def := range defs {
		names[i] = def.Name
		taken[def.Name] = true
	}
	for i, def := range defs {
		name := string(def.Kind())
		for n := 2; names[i] == ""; n++ {
			if !taken[name] {
				names[i] = name
				taken[name] = true
			}
			name = string(def.Kind()) + "-" + strconv.Itoa(n)
		}
	}
	return names
}

// compileStage resolves one stage. canary is the one before it, if any; holdback
// is what the watch behind it keeps.
func compileStage(def StageDefinition, canary *CanaryDefinition, holdback float64) Stage {
	s := Stage{Name: def.Name, Kind: def.Kind()}
	switch s.Kind {
	case KindGate:
		s.Gate, s.TimeLimit = &Gate{When: def.Gate.When, Message: def.Gate.Message}, gateLimit
	case KindApproval:
		a := *def.Approval
		fillDefaults(&a)
		s.Approval, s.TimeLimit = &Approval{Roles: slices.Clone(a.Roles), Count: a.Count, Expires: a.Expires}, gateLimit
	case KindDeploy:
		s.Deploy, s.TimeLimit = &Deploy{}, deployLimit
		s.Undo = "brings the previous revision back and gives it all the traffic"
	case KindCheck:
		s.Check = compileCheck(*def.Check)
		s.TimeLimit = checkLimit + Duration(s.Check.Attempts-1)*s.Check.Every
		if s.Check.Load != nil {
			s.TimeLimit += Duration(s.Check.Attempts) * s.Check.Load.For
		}
	case KindJob:
		s.Job = &Job{Command: slices.Clone(def.Job.Run), Undo: slices.Clone(def.Job.Undo), Env: maps.Clone(def.Job.Env), Secrets: maps.Clone(def.Job.Secrets)}
		s.TimeLimit = jobLimit
		if len(s.Job.Undo) > 0 {
			s.Undo = "runs " + strings.Join(s.Job.Undo, " ")
		}
	case KindCanary:
		s.Canary = compileCanary(*def.Canary, holdback)
		s.TimeLimit = s.Canary.Observation + analysisGrace
		if a := s.Canary.Audience; a != nil {
			s.TimeLimit += a.For
		}
		s.Undo = "gives all the traffic back to the old revision, which still runs, and takes the new one away"
	case KindWatch:
		s.Watch = compileWatch(*def.Watch, canary)
		s.TimeLimit = max(s.Watch.For, s.Watch.MinimumAge) + analysisGrace
	case KindPromote:
		s.Promote = compilePromote(*def.Promote, holdback)
		s.TimeLimit = promoteLimit + Duration(s.Promote.Batches)*s.Promote.Pause
		s.Undo = promoteUndo(s.Promote)
	case KindNotify:
		s.Notify, s.TimeLimit = &Notify{Webhook: def.Notify.Webhook, Message: def.Notify.Message}, notifyLimit
	}
	if def.TimeLimit > 0 {
		s.TimeLimit = def.TimeLimit
	}
	return s
}

func compileCheck(def CheckDefinition) *Check {
	fillDefaults(&def)
	check := &Check{Command: slices.Clone(def.Run), Attempts: def.Attempts, Every: def.Every}
	for _, h := range def.HTTP {
		fillDefaults(&h)
		check.HTTP = append(check.HTTP, HTTPCheck{
			Method: h.Method, Path: h.Path, Headers: maps.Clone(h.Headers), Body: h.Body,
			Status: h.Status, Contains: h.Contains, Within: h.Within,
		})
	}
	if def.Load != nil {
		l := *def.Load
		fillDefaults(&l)
		check.Load = &Load{Path: l.Path, Rate: float64(l.Rate), For: l.For, MaxErrors: float64(l.MaxErrors), P99: l.P99}
	}
	return check
}

func compileCanary(def CanaryDefinition, holdback float64) *Canary {
	fillDefaults(&def)
	return &Canary{
		Analysis: compileAnalysis(def.AnalysisDefinition), FirstWeight: float64(def.FirstWeight),
		Every: def.Every, Dwell: def.Dwell, Observation: def.Observation, Instances: def.Instances, Holdback: holdback,
		Audience: compileAudience(def.Audience),
	}
}

// compileWatch takes from the canary's analysis what the watch leaves open.
func compileWatch(def WatchDefinition, canary *CanaryDefinition) *Watch {
	if def.For == 0 && def.MinimumAge == 0 {
		def.MinimumAge = minimumAge
	}
	fillDefaults(&def)
	if canary != nil {
		own, base := &def.AnalysisDefinition, canary.AnalysisDefinition
		replace(&own.Margin.Errors, base.Margin.Errors, own.Margin.Errors == 0)
		replace(&own.Margin.Latency, base.Margin.Latency, own.Margin.Latency == 0)
		replace(&own.Budget, base.Budget, own.Budget == 0)
		replace(&own.Block, base.Block, own.Block == 0)
		replace(&own.WarmUp, base.WarmUp, own.WarmUp == 0)
		replace(&own.SlowerThan, base.SlowerThan, own.SlowerThan == 0)
		replace(&own.SLO, base.SLO, own.SLO == 0)
		replace(&own.MinimumSamples, base.MinimumSamples, own.MinimumSamples == 0)
		replace(&own.Metrics, base.Metrics, own.Metrics == nil)
	}
	return &Watch{Analysis: compileAnalysis(def.AnalysisDefinition), For: def.For, MinimumAge: def.MinimumAge, Holdback: float64(*def.Holdback)}
}

func compileAnalysis(def AnalysisDefinition) Analysis {
	return Analysis{
		MarginErrors: float64(def.Margin.Errors), MarginLatency: float64(def.Margin.Latency), Block: def.Block, WarmUp: def.WarmUp,
		SlowerThan: def.SlowerThan, SLO: float64(def.SLO), ExposureBudget: def.Budget, MinimumSamples: def.MinimumSamples,
		Metrics: compileCustom(def.Metrics),
	}
}

func compilePromote(def PromoteDefinition, holdback float64) *Promote {
	p := &Promote{Strategy: Strategy(def.Strategy), Batches: def.Batches, Pause: def.Pause, Holdback: holdback}
	if p.Strategy == "" {
		p.Strategy = Direct
	}
	if p.Strategy == Rolling {
		replace(&p.Batches, defaultBatches, p.Batches == 0)
		replace(&p.Pause, defaultPause, p.Pause == 0)
	}
	return p
}

func promoteUndo(p *Promote) string {
	if p.Holdback > 0 {
		return "gives all the traffic back to the old revision, which still runs, and takes the new one away"
	}
	return "brings the previous revision back and gives it all the traffic"
}
