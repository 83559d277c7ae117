package platform

import (
	"errors"

	"github.com/fairwayhq/fairway/internal/fault"
)

// ErrFenced is in the chain of the error with which a target refuses a fence
// that is older than one it has already accepted: another worker leads now.
var ErrFenced = errors.New("a newer lease holds the target")

// Fenced returns the refusal of a fence; seen is the highest that the target accepted.
func Fenced(target Target, fence, seen int64) error {
	return fault.Errorf(fault.Conflict, "target %s refused fence %d, it has seen %d: %w", target, fence, seen, fencedError{seen})
}

// SeenFence returns the highest fence that the target has accepted, as the
// refusal err tells it; 0 where err is none or does not say.
func SeenFence(err error) int64 {
	var f fencedError
	if errors.As(err, &f) {
		return f.seen
	}
	return 0
}

type fencedError struct{ seen int64 }

func (e fencedError) Error() string { return ErrFenced.Error() }

func (e fencedError) Is(target error) bool { return target == ErrFenced }
