package inquiry

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

const (
	// respondWithin is how long a worker looks for an answer.
	respondWithin = 20 * time.Second
	// mostAnswer bounds an answer, in bytes of JSON.
	mostAnswer = 1 << 20
	// mostValue is how long a value may be where there is no room for all, in bytes.
	mostValue = 500
)

// Respondent finds the answers, where the platform is in reach.
type Respondent struct {
	Worker string
	// Platform opens the platform of that name with a target's settings.
	Platform func(name string, settings json.RawMessage) (platform.Platform, error)
	// Repositories are those that hold the truth; nil knows none.
	Repositories Repositories
	Log          *slog.Logger
}

// Repositories say what should run.
type Repositories interface {
	// Objects are the objects that a repository says now, without Secrets, as JSON.
	Objects(ctx context.Context, where pipeline.Git, target platform.Target, namespace string) ([]json.RawMessage, error)
}

// Respond finds the answer. What stands in its way is in the answer.
func (r Respondent) Respond(ctx context.Context, q Inquiry) Answer {
	ctx, cancel := context.WithTimeout(ctx, respondWithin)
	defer cancel()
	a := Answer{Inquiry: q.ID, Environment: q.Target.Environment, Region: q.Target.Region, Worker: r.Worker}
	found, err := r.find(ctx, q)
	if err != nil {
		a.Trouble = &Trouble{Code: fault.CodeOf(err), Message: err.Error(), Hint: fault.HintOf(err)}
		if a.Trouble.Code == fault.Internal {
			r.Log.Error("An inquiry could not be answered.", "service", q.Target.Service, "environment", q.Target.Environment, "worker", r.Worker, "error", err)
			a.Trouble.Message = "it hit an internal error; its log has the details"
		}
		return a
	}
	a.Differences, a.Notes = found.Differences, found.Notes
	a.fit()
	return a
}

// find looks for the answer. Files of a repository come from people, and none of them may
// end a worker: the next one would be asked the same.
func (r Respondent) find(ctx context.Context, q Inquiry) (found platform.Comparison, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Errorf(fault.Internal, "panic: %v\n%s", p, debug.Stack())
		}
	}()
	opened, err := r.Platform(q.Platform, q.Settings)
	if err != nil {
		return platform.Comparison{}, err
	}
	switch q.About {
	case Preview:
		if p, ok := opened.(platform.Previewer); ok {
			return p.Preview(ctx, q.Target, q.Revision)
		}
	case Drift, Truth:
		if q.About == Truth {
			if q.Revision, err = r.truth(ctx, q); err != nil {
				return platform.Comparison{}, err
			}
		}
		if p, ok := opened.(platform.Comparer); ok {
			return p.Compare(ctx, q.Target, q.Revision)
		}
	default:
		return platform.Comparison{}, fault.Errorf(fault.Invalid, "the worker does not understand the question %q", q.About).
			WithHint("it is older than the server; update it")
	}
	return platform.Comparison{}, fault.Errorf(fault.Invalid, "the platform %s cannot tell how what runs differs from a plan", q.Platform).
		WithHint("kubernetes can")
}

// truth is the revision as the repository has it, with the image that stands there.
func (r Respondent) truth(ctx context.Context, q Inquiry) (platform.Revision, error) {
	if q.Git == nil || r.Repositories == nil {
		return platform.Revision{}, fault.Errorf(fault.Invalid, "no repository says what should run on %s", q.Target).
			WithHint("`git:` in fairway.yaml names it")
	}
	settings := map[string]any{}
	if err := json.Unmarshal(q.Settings, &settings); err != nil {
		return platform.Revision{}, fault.Errorf(fault.Invalid, "read the settings of %s: %w", q.Target, err)
	}
	namespace, _ := settings["namespace"].(string)
	objects, err := r.Repositories.Objects(ctx, *q.Git, q.Target, namespace)
	if err != nil {
		return platform.Revision{}, err
	}
	settings["objects"] = objects
	revision := q.Revision
	revision.Artifact = platform.Artifact{}
	revision.Settings, err = json.Marshal(settings)
	return revision, err
}

// fit makes an answer one that a server takes in: without long values, and if that does
// not do, without the last differences.
func (a *Answer) fit() {
	if a.size() <= mostAnswer {
		return
	}
	for i := range a.Differences {
		d := &a.Differences[i]
		d.Desired, d.Live = shorten(d.Desired), shorten(d.Live)
	}
	a.Notes = append(a.Notes, "Long values are not shown.")
	all := len(a.Differences)
	for a.size() > mostAnswer && len(a.Differences) > 1 {
		a.Differences = a.Differences[:len(a.Differences)/2]
	}
	if n := len(a.Differences); n < all {
		a.Notes = append(a.Notes, fmt.Sprintf("Only %d differences of %d are shown.", n, all))
	}
}

func (a *Answer) size() int {
	text, _ := json.Marshal(a) // plain values
	return len(text)
}

func shorten(v any) any {
	text, err := json.Marshal(v)
	if err != nil || len(text) <= mostValue {
		return v
	}
	return fmt.Sprintf("(%d bytes)", len(text))
}
