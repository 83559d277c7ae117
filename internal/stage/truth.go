package stage

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Truth writes to the repositories that say what should run.
type Truth interface {
	// Tell sees to it that the repository says the image, or proposes it where people
	// merge. It may be called again until what it says is done.
	Tell(ctx context.Context, where pipeline.Git, change TruthChange) (Told, error)
	// Withdraw sees to it that nobody can merge any more what Tell has proposed. It says Done
	// where that was merged before, and Refused where it cannot be any more; neither, where
	// nothing was proposed. It may be called again.
	Withdraw(ctx context.Context, where pipeline.Git, change TruthChange) (Told, error)
}

// TruthChange is an image that a repository is to say from now on.
type TruthChange struct {
	Release, Service, Environment string
	// Image is pinned: NAME[:TAG]@sha256:…
	Image string
	// Rollback says that the image is the one from before the release.
	Rollback bool
	// Replaces is the image that the repository was told before. Where it says another one by
	// now, that is left. Empty replaces any.
	Replaces string
}

// Told is how far it is.
type Told struct {
	// Done says that the repository says the image.
	Done bool
	// Refused says that people have closed the pull request.
	Refused bool
	// Where is the commit, or the address of the pull request.
	Where string
	// Overwritten is what the repository says where somebody has changed it since: it is left.
	Overwritten string
}

// arrival is what a stage remembers that brings a revision home.
type arrival struct {
	footing
	// Telling says that the repository may have been told; Told that it was.
	Telling bool `json:"telling,omitempty"`
	Told    bool `json:"told,omitempty"`
	// Alone is when the revision had all the traffic.
	Alone time.Time `json:"alone,omitzero"`
}

// toldAfter is how long the home has had no traffic before the repository is told: who
// watches it may update the home the next moment.
const toldAfter = 10 * time.Second

// tell tells the repository of the revision. Until that is done it returns how the stage
// goes on instead.
func (d Deps) tell(ctx context.Context, task Task, a *arrival, memory func() any) (Outcome, bool, error) {
	if task.Git == nil || a.Told {
		return Outcome{}, true, nil
	}
	waits := func(after time.Duration, now string, lines ...Line) Outcome {
		out := next(memory(), after, &Progress{Now: now, Weight: 1}, lines...)
		out.Exposed = true
		return out
	}
	if a.Alone.IsZero() {
		a.Alone = d.Now()
	}
	if wait := toldAfter - d.Now().Sub(a.Alone); wait > 0 && task.Git.Controller != "" {
		return waits(min(wait, time.Second), "All traffic goes to "+name(task)+"; the repository is told next."), false, nil
	}
	if !a.Telling { // remembered before it is done, so that an undoing knows
		a.Telling = true
		return waits(0, "Telling the repository."), false, nil
	}
	told, err := d.Truth.Tell(ctx, *task.Git, changeOf(task))
	switch {
	case refusing(err):
		return Outcome{Status: Failed, State: remember(memory()), Exposed: true, Reason: "the repository cannot be told: " + fault.MessageWithHint(err)}, false, nil
	case err != nil:
		return Outcome{}, false, err
	case told.Refused:
		return Outcome{Status: Failed, State: remember(memory()), Exposed: true, Reason: "the pull request was closed and not merged: " + told.Where}, false, nil
	case !told.Done:
		return waits(pullRequestInterval, "Waiting for the pull request to be merged: "+told.Where), false, nil
	}
	a.Told = true
	line := told.line("git.told", fmt.Sprintf("The repository says %s for %s", name(task), task.place()))
	if told.Overwritten != "" {
		line = told.line("git.overwritten", fmt.Sprintf("The repository said %s for %s, and was changed by somebody since. It says %s now", name(task), task.place(), told.Overwritten))
	}
	return waits(0, line.Text, *line), false, nil
}

// pullRequestInterval is how often a pull request is looked at.
const pullRequestInterval = 15 * time.Second

// imageName is an artifact as repositories name it.
func imageName(a platform.Artifact) string { return a.Ref + "@" + a.Digest }

// takeBackTruth withdraws what was proposed to the repository, and tells it of the previous
// revision if it says the new one. It returns the reason why a person has to do it, if that is
// so. A version without a digest was never told.
func (d Deps) takeBackTruth(ctx context.Context, task Task, m undoMemory) (line *Line, wrong string, err error) {
	if task.Git == nil || !m.Telling || m.TakenBack || task.Revision.Artifact.Digest == "" {
		return nil, "", nil
	}
	if task.Git.PullRequest {
		withdrawn, err := d.Truth.Withdraw(ctx, *task.Git, changeOf(task))
		if refusing(err) {
			return nil, "the pull request for " + name(task) + " cannot be closed: " + fault.MessageWithHint(err), nil
		}
		if err != nil || withdrawn.Refused {
			return withdrawn.line("git.back", "The pull request for "+name(task)+" is closed and was not merged, so the repository stays as it was"), "", err
		}
	}
	if m.Previous == nil {
		return nil, fmt.Sprintf("the repository may still say %s, and there is no version before it; take it out there", name(task)), nil
	}
	if m.Previous.Artifact.Digest == "" {
		return nil, fmt.Sprintf("the repository still says %s, and the digest of the version before is not known; set it back there", name(task)), nil
	}
	back := changeOf(task)
	back.Image, back.Rollback, back.Replaces = imageName(m.Previous.Artifact), true, back.Image
	told, err := d.Truth.Tell(ctx, *task.Git, back)
	if refusing(err) {
		return nil, "the repository cannot be told of the rollback: " + fault.MessageWithHint(err), nil
	}
	switch {
	case told.Overwritten != "" && task.Git.Controller != "": // which would bring it
		return nil, fmt.Sprintf("somebody has changed the repository since it was told of %s: it says %s at %s, and was left; set it back to the previous version there, and release the other one by itself if it is wanted",
			name(task), told.Overwritten, told.Where), nil
	case told.Overwritten != "":
		line = told.line("git.overwritten", fmt.Sprintf("Somebody has changed the repository since it was told of %s, so it was left, and a person has to decide what it should say. It says %s now", name(task), told.Overwritten))
	case told.Done:
		line = told.line("git.back", "The repository says the previous version again")
	default:
		line = told.line("git.back", "A pull request sets the repository back to the previous version")
	}
	return line, "", err
}

func (t Told) line(kind, text string) *Line {
	data := map[string]string{"where": t.Where}
	if t.Overwritten != "" {
		data["now"] = t.Overwritten
	}
	return &Line{Kind: kind, Text: text + ": " + t.Where + ".", Data: plain(data)}
}

// changeOf is the image of the task's revision.
func changeOf(task Task) TruthChange {
	return TruthChange{Release: task.Release, Service: task.Service, Environment: task.Environment, Image: imageName(task.Revision.Artifact)}
}

// refusing tells that a repository will not do it, however often it is asked.
func refusing(err error) bool {
	code := fault.CodeOf(err)
	return code == fault.Invalid || code == fault.Denied || code == fault.NotFound
}
