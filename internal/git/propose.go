package git

import (
	"context"
	"errors"

	"github.com/fairwayhq/fairway/internal/fault"
)

// State is what has become of a pull request.
type State string

// The states of a pull request. Closed means that it was not merged.
const (
	Open   State = "open"
	Merged State = "merged"
	Closed State = "closed"
)

// PullRequest is a change that people are asked about.
type PullRequest struct {
	Number int    `json:"number"`
	URL    string `json:"url"` // for people
	State  State  `json:"state"`
}

// Proposal is what a pull request is opened with. The branch lies in the same repository.
type Proposal struct{ Branch, Base, Title, Body string }

// Reviews is a host of repositories that knows pull requests.
type Reviews interface {
	// Find returns the newest pull request from a branch into another one, whatever has
	// become of it.
	Find(ctx context.Context, branch, base string) (PullRequest, bool, error)
	// Request opens one. If there is one already, it is fault.Conflict.
	Request(ctx context.Context, proposal Proposal) (PullRequest, error)
	// Withdraw closes the pull request from a branch into another one, if it is open, and
	// deletes the branch, unless it was merged. It returns what has become of the pull
	// request, and false if there was none; it may be repeated.
	Withdraw(ctx context.Context, branch, base string) (PullRequest, bool, error)
}

// Propose pushes the change to a branch of its own (Change.Branch) and opens a pull
// request, unless that was done. Called again, it says what has become of the pull
// request; one that was closed is not opened again. Errors are those of Commit, and a
// branch of that name which is not Fairway's is fault.Conflict.
func (r Repository) Propose(ctx context.Context, change Change) (Result, error) {
	if r.Reviews == nil {
		return Result{}, fault.Errorf(fault.Invalid, "it is not known how to open a pull request for %s", r.Name()).
			WithHint("push to the branch directly, or use a repository on GitHub")
	}
	found, ok, err := r.Reviews.Find(ctx, change.Branch(), r.Branch)
	if err != nil {
		return Result{}, err
	}
	if ok {
		return Result{PullRequest: &found}, nil
	}
	w, err := r.begin(ctx, change)
	if err != nil {
		return Result{}, err
	}
	defer w.clone.close()
	result, err := w.propose(ctx)
	if err != nil || result.Commit == "" || !result.Made {
		return result, err
	}
	opened, err := r.Reviews.Request(ctx, Proposal{
		Branch: change.Branch(), Base: r.Branch,
		Title: change.subject(w.image), Body: change.body(w.image, result.Before),
	})
	if fault.CodeOf(err) == fault.Conflict {
		if found, ok, again := r.Reviews.Find(ctx, change.Branch(), r.Branch); again == nil && ok {
			opened, err = found, nil
		}
	}
	if err != nil {
		return Result{}, err
	}
	result.PullRequest = &opened
	return result, nil
}

// Withdraw takes a proposal back, so that nobody can merge it any more, and returns what has
// become of its pull request, or nil if there was none. One that was merged stays so.
func (r Repository) Withdraw(ctx context.Context, change Change) (*PullRequest, error) {
	if r.Reviews == nil {
		return nil, fault.Errorf(fault.Invalid, "it is not known how to close a pull request for %s", r.Name())
	}
	withdrawn, ok, err := r.Reviews.Withdraw(ctx, change.Branch(), r.Branch)
	if err != nil || !ok {
		return nil, err
	}
	return &withdrawn, nil
}

// propose pushes the change to its branch, unless an earlier call has done so.
func (w *work) propose(ctx context.Context) (Result, error) {
	result, err := w.prepare(ctx)
	if err != nil || !result.Made {
		return result, err
	}
	branch := w.change.Branch()
	err = w.clone.push(ctx, result.Commit, branch)
	if !errors.Is(err, errMoved) {
		return result, err
	}
	head, err := w.clone.fetch(ctx, branch)
	if err != nil {
		return Result{}, err
	}
	ours, err := w.clone.find(ctx, head, func(message string) bool { return w.change.isMessage(message, w.image) })
	if err != nil {
		return Result{}, err
	}
	if ours == "" {
		return Result{}, fault.Errorf(fault.Conflict, "%s has a branch %s already, which is not from this change", w.repository.Name(), branch).
			WithHint("delete the branch, if nobody needs it")
	}
	result.Commit = ours
	return result, nil
}
