package release

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Story says in sentences where a release is.
type Story struct {
	// Headline says where the release is and why.
	Headline string
	// Next says what happens next, at NextAt if that is known.
	Next   string
	NextAt time.Time
}

// scene is what a story is told from.
type scene struct {
	run         *pipeline.Run
	environment *pipeline.EnvironmentRun
	plan        *pipeline.Environment
	// live is what the worker last said; nil if nothing.
	live *stage.Progress
	// queue are the releases before this one in the lane; ahead names the first.
	queue []string
	ahead string
}

func (s scene) story() Story {
	st := s.told()
	if s.plan.Leg != nil && !s.run.State.Final() {
		st.Headline = s.waves() + st.Headline
	}
	if s.run.Plan.Drill != nil {
		st.Headline = "Drill: " + st.Headline
	}
	return st
}

func (s scene) told() Story {
	switch {
	case s.run.State.Final():
		return Story{Headline: s.ending()}
	case s.environment.Asks != "":
		return Story{Headline: sentence(s.environment.Asks), Next: "A release manager or SRE decides: approving keeps it there, rejecting takes it back."}
	case s.environment.State == pipeline.EnvironmentRollingBack:
		return s.retreat()
	case s.run.Paused != nil:
		return Story{Headline: sentence(because("Paused by "+s.run.Paused.By, s.run.Paused.Reason)), Next: "It goes on when somebody resumes it."}
	case s.environment.State == pipeline.EnvironmentPending:
		return s.pending()
	case s.environment.Frozen != "":
		return Story{Headline: sentence("Held in " + s.environment.Name + ": " + s.environment.Frozen), Next: "It goes on when the freeze ends."}
	case s.environment.Lane == pipeline.LaneQueued:
		return s.queued()
	}
	return s.moving()
}

// ending tells about a release that has ended.
func (s scene) ending() string {
	where := s.environment
	switch s.run.State {
	case pipeline.RunSucceeded:
		return "Released: it is at home in " + s.run.Plan.Environment(where.Name).In() + "."
	case pipeline.RunRolledBack:
		return sentence(because("Rolled back in "+s.last(pipeline.EnvironmentRolledBack), s.reason(pipeline.EnvironmentRolledBack)))
	case pipeline.RunFailed:
		return sentence(because("Failed in "+s.last(pipeline.EnvironmentFailed)+" before it had any traffic", s.reason(pipeline.EnvironmentFailed)))
	case pipeline.RunSuperseded:
		return sentence(upper(or(s.reason(pipeline.EnvironmentCancelled), "superseded by a newer release")))
	default:
		return sentence(because("Called off", s.reason(pipeline.EnvironmentCancelled)))
	}
}

// last names the last environment in the state; reason says why it is there.
func (s scene) last(state pipeline.EnvironmentState) string {
	for i := len(s.run.Environments) - 1; i >= 0; i-- {
		if s.run.Environments[i].State == state {
			return s.run.Plan.Environments[i].In()
		}
	}
	return s.environment.Name
}

func (s scene) reason(state pipeline.EnvironmentState) string {
	for _, e := range s.run.Environments { // of regions, the one that failed first of all
		if e.State == state && e.FailedStage != "" {
			return e.Reason
		}
	}
	for _, e := range s.run.Environments {
		if e.State == state && e.Reason != "" {
			return e.Reason
		}
	}
	return ""
}

func (s scene) retreat() Story {
	e := s.environment
	st := Story{Headline: sentence(because("Rolling back in "+e.Name, s.cause())), Next: "The revision that was home before gets the traffic."}
	if s.live != nil && s.live.Now != "" {
		st.Next, st.NextAt = sentence(s.live.Now), s.live.NextAt
	}
	if asks := s.asks(); asks != "" {
		st.Next = sentence(upper(asks))
	}
	return st
}

// cause is why the environment goes back: what failed in one of its regions, else its own reason.
func (s scene) cause() string {
	for _, i := range s.run.Plan.Entries(s.plan.In()) {
		if e := &s.run.Environments[i]; e.FailedStage != "" {
			return e.Reason
		}
	}
	return s.environment.Reason
}

// pending tells about an environment whose turn it is but that has not begun.
func (s scene) pending() Story {
	var at time.Time
	var what string
	later := func(name string, long pipeline.Duration, why string) {
		for _, i := range s.run.Plan.Entries(name) {
			before := &s.run.Environments[i]
			if before.State != pipeline.EnvironmentSucceeded {
				continue
			}
			if ok := before.EndedAt.Add((long + before.Away).Std()); ok.After(at) {
				at, what = ok, why
			}
		}
	}
	for _, n := range s.plan.Needs {
		later(n.Environment, n.For, fmt.Sprintf("it has to run in %s for %s first", n.Environment, n.For))
	}
	if leg := s.plan.Leg; leg != nil && leg.Bake > 0 {
		later(leg.Environment, leg.Bake, fmt.Sprintf("the wave before has to run for %s first", leg.Bake))
	}
	if what == "" {
		return Story{Headline: "Waits to go to " + s.environment.Name + ".", Next: "It goes to " + s.environment.Name + "."}
	}
	return Story{Headline: sentence("Waits to go to " + s.environment.Name + ": " + what), Next: "It goes to " + s.environment.Name + ".", NextAt: at}
}

func (s scene) queued() Story {
	st := Story{Headline: "Waits for the lane in " + s.environment.Name + ".", Next: "Stage " + s.stage().Name + " begins."}
	if n := len(s.queue); n > 0 {
		st.Headline = fmt.Sprintf("Waits in %s behind %s", s.environment.Name, s.ahead)
		if n > 1 {
			st.Headline += fmt.Sprintf(" and %s more", counted(n-1, "release"))
		}
		st.Headline = sentence(st.Headline)
	}
	return st
}

// moving tells about a stage that runs.
func (s scene) moving() Story {
	e, stage, run := s.environment, s.stage(), &s.environment.Stages[s.environment.Stage]
	st := Story{Headline: fmt.Sprintf("Stage %s in %s.", stage.Name, e.Name), Next: s.following()}
	switch {
	case run.State == pipeline.StagePending:
		st.Headline, st.Next = fmt.Sprintf("Stage %s is about to begin in %s.", stage.Name, e.Name), ""
	case stage.Kind == pipeline.KindGate:
		st.Headline = sentence(because(fmt.Sprintf("Waits at %s in %s", gateName(stage.Name), e.Name), run.Reason))
	case stage.Kind == pipeline.KindApproval:
		st.Headline = sentence(fmt.Sprintf("Waits in %s for %s", e.Name, s.missingApprovals()))
	case run.Asks != "":
		st.Headline = sentence(fmt.Sprintf("Held in %s: %s", e.Name, run.Asks))
		st.Next = "A release manager or SRE decides; the traffic stays as it is meanwhile."
		return st
	case s.live != nil && s.live.Now != "":
		st.Headline = sentence(fmt.Sprintf("Stage %s in %s: %s", stage.Name, e.Name, s.live.Now))
		if s.live.Next != "" {
			st.Next = sentence(upper(s.live.Next))
		}
		st.NextAt = s.live.NextAt
	}
	return st
}

func (s scene) stage() *pipeline.Stage { return &s.plan.Stages[s.environment.Stage] }

// missingApprovals says how many are missing of whom. Approvals that have expired
// are counted by the pipeline; here they still show as given.
func (s scene) missingApprovals() string {
	a, run := s.stage().Approval, s.environment.Stages[s.environment.Stage]
	missing := max(a.Count-len(run.Approvals), 1)
	text := counted(missing, "approval") + " by " + either(a.Roles)
	if len(run.Approvals) > 0 {
		by := make([]string, len(run.Approvals))
		for i, g := range run.Approvals {
			by[i] = g.By
		}
		text += "; given by " + strings.Join(by, ", ")
	}
	return text
}

// following names what comes after the current stage.
func (s scene) following() string {
	if i := s.environment.Stage + 1; i < len(s.plan.Stages) {
		return "Then stage " + s.plan.Stages[i].Name + "."
	}
	for _, e := range s.run.Environments {
		if e.State == pipeline.EnvironmentPending {
			return "Then it goes to " + e.Name + "."
		}
	}
	if s.run.Plan.Drill != nil {
		return "Then it is taken back, whatever was found."
	}
	return "Then it is released."
}

// asks returns the question that waits for a person.
func (s scene) asks() string {
	e := s.environment
	if e.Asks != "" {
		return e.Asks
	}
	if q, ok := questionIn(s.run, e); ok {
		if q.decides {
			return q.run.Asks
		}
		return sentence(fmt.Sprintf("Approve stage %s in %s", q.stage.Name, e.Name))
	}
	if e.State == pipeline.EnvironmentRollingBack {
		return e.Stages[e.Stage].Asks
	}
	return ""
}

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// sentence ends a text with a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") || strings.HasSuffix(s, "!") || s == "" {
		return s
	}
	return s + "."
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// counted says a number of things: "1 fault", "3 faults".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// gateName says of a gate with a name of its own that it is one.
func gateName(name string) string {
	if strings.HasPrefix(name, string(pipeline.KindGate)) {
		return name
	}
	return "gate " + name
}
