package pipeline

import "fmt"

// traffic is where a release stands in an environment after a stage.
type traffic string

const (
	// untouched: the old revision has everything.
	untouched traffic = "untouched"
	// split: both arms run, the old one as the stable arm.
	split traffic = "split"
	// moved: the new revision has everything and the old one is gone.
	moved traffic = "moved"
)

// stages checks the stages of one environment, one by one and as a way.
func (v *validator) stages(path string, e *EnvironmentDefinition) {
	names := map[string]int{}
	way := &way{validator: v, now: untouched}
	for i, s := range e.Stages {
		at := fmt.Sprintf("%s.stages[%d]", path, i)
		if first, twice := names[s.Name]; twice && s.Name != "" {
			v.fault(v.at(at+".name"), "give each stage of an environment its own name, or leave the name out",
				"the stage %q is there twice, first on line %d", s.Name, v.at(fmt.Sprintf("%s.stages[%d].name", path, first)).line)
		} else {
			names[s.Name] = i
		}
		v.stage(at, s)
		if s.Canary != nil {
			v.analysis(at+".canary", e, &s.Canary.AnalysisDefinition)
			v.audience(at+".canary.audience", e, s.Canary.Audience)
		}
		if s.Watch != nil {
			v.analysis(at+".watch", e, &s.Watch.AnalysisDefinition)
		}
		way.step(at, s, e.Stages[i+1:])
	}
	if len(e.Stages) > 0 && way.now == untouched && !way.unsure && !way.watched {
		v.fault(v.key(path+".stages"), "add `deploy`, `canary`, or `promote` with a strategy", "no stage of %q brings the release up", e.Name)
	}
}

// way follows the traffic through the stages of an environment.
type way struct {
	*validator
	now     traffic
	by      Kind
	watched bool
	// unsure is set after a stage that could not be read.
	unsure bool
}

func (w *way) step(path string, s StageDefinition, rest []StageDefinition) {
	kind := s.Kind()
	at := w.key(path + "." + string(kind))
	switch kind {
	case "":
		w.unsure = true
	case KindCheck:
		if s.Check != nil && w.now == untouched && !w.unsure && (len(s.Check.HTTP) > 0 || s.Check.Load != nil) {
			w.fault(at, "put it after `deploy`, `canary` or `promote`; a check before them can only `run` a command", "the check looks at the new revision before a stage brought it up")
		}
	case KindDeploy, KindCanary:
		if w.now != untouched {
			w.fault(at, "bring it up once: keep one of the two", "a %s cannot come after a %s: the release is up already", kind, w.by)
			return
		}
		w.now, w.by = split, kind
		if kind == KindDeploy {
			w.now = moved
		}
	case KindWatch:
		w.watch(at)
	case KindPromote:
		w.promote(at, path, s.Promote, rest)
	}
}

func (w *way) watch(at place) {
	switch {
	case w.unsure:
	case w.now == untouched:
		w.fault(at, "put it after a `canary`, or after a `promote` with a strategy", "there is nothing to watch yet: no stage before it brings the release up")
	case w.now == moved && w.by == KindDeploy:
		w.fault(at, "use `promote: blue-green` in place of `deploy`: it keeps the old revision for the watch", "a watch needs the old revision as control, but the deploy replaced it")
	case w.now == moved:
		w.fault(at, "put the watch before the promote", "a watch needs the old revision as control, but the promote retired it")
	case w.watched:
		w.fault(at, "make the first one longer", "an environment has one watch")
	}
	w.watched = true
}

func (w *way) promote(at place, path string, p *PromoteDefinition, rest []StageDefinition) {
	strategy := Strategy(p.Strategy)
	switch {
	case w.unsure:
		w.now = moved
	case w.now == moved:
		w.fault(at, "leave it out", "there is nothing to promote: after the %s the new revision has all the traffic already", w.by)
	case w.now == untouched && (strategy == "" || strategy == Direct):
		w.fault(at, "put a `canary` before it, or bring it up here with `promote: blue-green` or `promote: rolling`", "there is nothing to promote: no stage before it brings the release up")
		w.now = moved
	case w.now == untouched:
		w.now = moved
		if watchAhead(rest) {
			w.now = split
		}
	case strategy == BlueGreen || strategy == Rolling:
		w.fault(w.at(path+".promote"), "leave the strategy out", "after a %s the promotion is direct: the new revision has its capacity already", w.by)
		w.now = moved
	default:
		w.now = moved
	}
	w.by = KindPromote
	if strategy != Rolling && (p.Batches != 0 || p.Pause != 0) {
		w.fault(at, "write `strategy: rolling`, or leave them out", "batches and pause belong to a rolling promotion")
	}
}

// watchAhead tells whether a watch comes before the next promote.
func watchAhead(rest []StageDefinition) bool {
	for _, s := range rest {
		switch s.Kind() {
		case KindWatch:
			return true
		case KindPromote, KindDeploy, KindCanary:
			return false
		}
	}
	return false
}

// stage checks what must agree within one stage.
func (v *validator) stage(path string, s StageDefinition) {
	if c := s.Check; c != nil && !v.unread[path+".check"] && len(c.HTTP) == 0 && len(c.Run) == 0 && c.Load == nil &&
		!v.known(path+".check.http") && !v.known(path+".check.run") && !v.known(path+".check.load") {
		v.fault(v.key(path+".check"), "for instance: check: {http: [/healthz]}", "the check looks at nothing")
	}
	if j := s.Job; j != nil {
		v.secrets(path+".job", j.Secrets, j.Env)
	}
	if c := s.Canary; c != nil {
		full := *c
		fillDefaults(&full)
		if full.Dwell > full.Observation {
			v.fault(v.at(path+".canary.dwell"), "make the observation longer than the dwell",
				"the dwell of %s does not fit into the observation of %s", full.Dwell, full.Observation)
		}
		v.timeLimit(path, s, full.Observation, "the observation")
		if a := full.Audience; a != nil {
			v.timeLimit(path, s, full.Observation+a.For, "the observation and the audience's time")
		}
	}
	if w := s.Watch; w != nil {
		full := *w
		fillDefaults(&full)
		v.timeLimit(path, s, full.For, "the bake time")
		v.timeLimit(path, s, full.MinimumAge, "the minimum age")
	}
}

func (v *validator) timeLimit(path string, s StageDefinition, least Duration, what string) {
	if s.TimeLimit > 0 && s.TimeLimit < least {
		v.fault(v.at(path+".timeLimit"), "make it longer, or leave it out", "the time limit of %s is shorter than %s of %s", s.TimeLimit, what, least)
	}
}
