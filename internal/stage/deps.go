package stage

import (
	"encoding/json"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Deps are what executors work with.
type Deps struct {
	// Platform opens the platform of that name with a target's settings, as they stand
	// in the plan.
	Platform func(name string, settings json.RawMessage) (platform.Platform, error)
	// Source opens the source of samples that the environment names.
	Source func(m pipeline.Metrics) (metric.Source, error)
	// Truth writes to the repositories that say what should run.
	Truth Truth
	// Commands run the commands of jobs and checks.
	Commands Commands
	// Now is the clock. It must not run backwards.
	Now func() time.Time
}

// Executors returns an executor for every kind that a worker carries out.
func Executors(d Deps) map[pipeline.Kind]Executor {
	return map[pipeline.Kind]Executor{
		pipeline.KindDeploy:  versioned{reversible{d, &deploy{d}}},
		pipeline.KindCanary:  versioned{reversible{d, &canary{d}}},
		pipeline.KindPromote: versioned{reversible{d, &promote{d}}},
		pipeline.KindWatch:   versioned{&watch{d}},
		pipeline.KindCheck:   versioned{&check{d}},
		pipeline.KindJob:     versioned{&job{d}},
	}
}

// recall reads an executor's memory from the task's state; a nil state leaves it zero.
func recall(task Task, memory any) error {
	if len(task.State) == 0 {
		return nil
	}
	if err := json.Unmarshal(task.State, memory); err != nil {
		return fault.Errorf(fault.Internal, "read the state of stage %s: %w", task.Stage.Name, err)
	}
	return nil
}

// remember writes an executor's memory, with the version of its format.
func remember(memory any) json.RawMessage { return withVersion(plain(memory)) }

// plain writes what cannot fail to be JSON, since it has only plain values.
func plain(value any) json.RawMessage {
	b, err := json.Marshal(value)
	if err != nil {
		panic("stage: a value that is not JSON: " + err.Error())
	}
	return b
}

// next is an outcome that goes on after a while.
func next(memory any, after time.Duration, p *Progress, lines ...Line) Outcome {
	return Outcome{Status: Continue, State: remember(memory), After: after, Progress: p, Lines: lines}
}
