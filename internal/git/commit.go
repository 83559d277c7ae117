package git

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/git/edit"
	"github.com/fairwayhq/fairway/internal/process"
)

// maxTries bounds how often a change is made again because the branch has moved
// meanwhile; between tries it waits up to as many times pause.
const (
	maxTries = 10
	pause    = 50 * time.Millisecond
)

// errMoved says that somebody else has pushed first.
var errMoved = errors.New("the branch has moved")

// Result says what became of a change.
type Result struct {
	// Commit is the commit that has the image. Of a change that is only proposed, it is
	// the one that is proposed; of one that was never made, the head of the branch.
	Commit string
	// Made tells whether this call has made it, and not an earlier one or somebody else.
	Made bool
	// Overwritten: the change was committed before, or is to replace what was, and somebody
	// has set another image since. That is left as it is.
	Overwritten bool
	// File is where the image is set, and Before what it said there, and still does if
	// Overwritten: as an image, or as the value of the key. Both are known only if Made or
	// Overwritten.
	File, Before string
	// PullRequest is set by Propose, unless the branch has the image already.
	PullRequest *PullRequest
}

// Commit sees to it that the branch says the image: it commits and pushes, unless that
// was done. A branch that moves meanwhile is followed a few times. A place or a branch
// that does not exist is fault.NotFound, a push that is refused fault.Denied, with what
// the other side says about it; what may pass is fault.Unavailable.
func (r Repository) Commit(ctx context.Context, change Change) (Result, error) {
	w, err := r.begin(ctx, change)
	if err != nil {
		return Result{}, err
	}
	defer w.clone.close()
	for try := 1; ; try++ {
		result, err := w.commit(ctx)
		if !errors.Is(err, errMoved) {
			return result, err
		}
		if try == maxTries {
			return Result{}, fault.Errorf(fault.Unavailable, "commit to %s: somebody else pushed to %s first, %d times in a row", r.Name(), r.Branch, try)
		}
		if err := process.Wait(ctx, rand.N(time.Duration(try)*pause)); err != nil {
			return Result{}, err
		}
	}
}

// work is one change on its way into one repository.
type work struct {
	repository Repository
	change     Change
	image      edit.Ref
	clone      *clone
}

func (r Repository) begin(ctx context.Context, change Change) (*work, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	image, err := change.parse()
	if err != nil {
		return nil, err
	}
	c, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	return &work{repository: r, change: change, image: image, clone: c}, nil
}

// commit tries once: on the branch as it is now.
func (w *work) commit(ctx context.Context) (Result, error) {
	result, err := w.prepare(ctx)
	if err != nil || !result.Made {
		return result, err
	}
	if err := w.clone.push(ctx, result.Commit, w.repository.Branch); err != nil {
		return Result{}, err
	}
	return result, nil
}

// prepare makes the commit, if one is needed, and pushes nothing.
func (w *work) prepare(ctx context.Context) (Result, error) {
	head, err := w.clone.fetch(ctx, w.repository.Branch)
	if err != nil {
		return Result{}, err
	}
	earlier, err := w.clone.find(ctx, head, func(message string) bool { return w.change.isMessage(message, w.image) })
	if err != nil {
		return Result{}, err
	}
	files, err := w.clone.list(ctx, head)
	if err != nil {
		return Result{}, err
	}
	tree := files.tree(ctx)
	edited, err := edit.Image(tree, w.repository.Place, w.image)
	switch {
	case err != nil:
		return Result{}, err
	case earlier != "" && len(edited.Changed) > 0:
		return Result{Commit: earlier, Overwritten: true, File: edited.File, Before: edited.Before}, nil
	case earlier != "":
		return Result{Commit: earlier}, nil
	case len(edited.Changed) == 0:
		return Result{Commit: head}, nil
	}
	switch may, err := w.mayReplace(tree); {
	case err != nil:
		return Result{}, err
	case !may && w.unpinned(edited.Before):
		return Result{Commit: head}, nil
	case !may:
		return Result{Commit: head, Overwritten: true, File: edited.File, Before: edited.Before}, nil
	}
	hash, err := w.clone.write(ctx, head, files, edited.Changed, w.change.message(w.image, edited.Before))
	return Result{Commit: hash, Made: true, File: edited.File, Before: edited.Before}, err
}

// mayReplace tells whether the image that the change replaces is there, if it names one.
func (w *work) mayReplace(tree edit.Tree) (bool, error) {
	if w.change.Replaces == "" {
		return true, nil
	}
	replaced, err := edit.ParseImage(w.change.Replaces)
	if err != nil {
		return false, err
	}
	there, err := edit.Image(tree, w.repository.Place, replaced)
	return err == nil && len(there.Changed) == 0, err
}

// unpinned tells whether what stands there is the image as people write it: by its tag alone,
// or not at all. So it was before the first change, or is again.
func (w *work) unpinned(there string) bool {
	tag := w.image.Tag
	return there == "" || tag != "" && (there == tag || there == w.image.Name+":"+tag)
}
