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
		pipeline.KindDeploy:  reversible{d, &deploy{d}},
		pipeline.KindCanary:  reversible{d, &canary{d}},
		pipeline.KindPromote: reversible{d, &promote{d}},
		pipeline.KindWatch:   &watch{d},
		pipeline.KindCheck:   &check{d},
		pipeline.KindJob:     &job{d},
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

// remember writes an executor's memory. Only plain values are remembered, so this
// cannot fail.
func remember(memory any) json.RawMessage {
	b, err := json.Marshal(memory)
	if err != nil {
		panic("stage: a memory that is not JSON: " + err.Error())
	}
	return b
}

// next is an outcome that goes on after a while.
func next(memory any, after time.Duration, p *Progress, lines ...Line) Outcome {
	return Outcome{Status: Continue, State: remember(memory), After: after, Progress: p, Lines: lines}
}
