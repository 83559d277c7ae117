package release

import (
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// The words for what a person can do to a release.
const (
	ActionApprove  = "approve"
	ActionReject   = "reject"
	ActionDecide   = "decide"
	ActionPause    = "pause"
	ActionResume   = "resume"
	ActionRollback = "rollback"
	ActionSkip     = "skip"
)

// actions returns what the caller may do now in the environment; home tells whether the
// release is at home there.
func actions(who auth.Identity, s subject, e *pipeline.EnvironmentRun, home bool, now time.Time) []string {
	list := []string{}
	add := func(ok bool, names ...string) {
		if ok {
			list = append(list, names...)
		}
	}
	if q, ok := questionIn(&s.run, e); ok {
		may := q.mayAnswer(who, s.Author) == nil
		add(may && q.decides, ActionDecide, ActionReject)
		add(may && !q.decides && !gave(q.run, who.User), ActionApprove)
		add(may && !q.decides, ActionReject)
	}
	open := !s.run.State.Final()
	add(open && s.run.Paused == nil && s.run.State != pipeline.RunRollingBack && need(who, "", mayPause...) == nil, ActionPause)
	add(open && s.run.Paused != nil && need(who, "", mayPause...) == nil, ActionResume)
	add(mayTakeBack(who, s.Release) == nil && goesBack(&s.run, e, home, now), ActionRollback)
	add(open && skippable(e) && holds(who, skipRoles(s.run.Plan, e.Name)), ActionSkip)
	return list
}

func gave(s *pipeline.StageRun, user string) bool {
	for _, a := range s.Approvals {
		if a.By == user {
			return true
		}
	}
	return false
}

// goesBack tells whether a rollback has something to do.
func goesBack(r *pipeline.Run, e *pipeline.EnvironmentRun, home bool, now time.Time) bool {
	switch e.State {
	case pipeline.EnvironmentRunning:
		return true
	case pipeline.EnvironmentPending:
		return !r.State.Final()
	case pipeline.EnvironmentRollingBack:
		anew := r.UndoAnewFrom(e)
		return e.Stages[e.Stage].State == pipeline.StageUndoFailed || !anew.IsZero() && !now.Before(anew)
	}
	return home
}

// skippable tells whether the environment has not touched its target yet.
func skippable(e *pipeline.EnvironmentRun) bool {
	return e.State == pipeline.EnvironmentPending || e.State == pipeline.EnvironmentRunning && e.Lane != pipeline.LaneHeld
}
