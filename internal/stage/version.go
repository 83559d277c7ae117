package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fairwayhq/fairway/internal/fault"
)

// StateVersion is the format of what executors remember today. It grows with every
// change that an older executor would misunderstand; every older format is still
// read. A memory without a version is of the first.
const StateVersion = 1

// ErrNewer is in the chain of what a tick returns for a task with a memory that a
// newer Fairway has written. Nothing was done: the task must go on elsewhere.
var ErrNewer = errors.New("written by a newer Fairway")

// versioned keeps an executor from memories that it would misunderstand: its own, and
// those that the stages before it have left.
type versioned struct{ Executor }

func (v versioned) Tick(ctx context.Context, task Task) (Outcome, error) {
	if err := legible(task.Stage.Name, task.State); err != nil {
		return Outcome{}, err
	}
	for name, memory := range task.Memories {
		if err := legible(name, memory); err != nil {
			return Outcome{}, err
		}
	}
	return v.Executor.Tick(ctx, task)
}

// legible refuses the memory of a newer format.
func legible(stage string, memory json.RawMessage) error {
	if version := versionOf(memory); version > StateVersion {
		return fault.Errorf(fault.Conflict, "what stage %s remembers was %w: it has version %d, this worker reads versions up to %d",
			stage, ErrNewer, version, StateVersion).
			WithHint("start a worker of the newer Fairway for this environment; until then the stage waits as it is")
	}
	return nil
}

// versionOf is the format of a memory; 1 where it names none.
func versionOf(memory json.RawMessage) int {
	var m struct {
		Version int `json:"version"`
	}
	// What cannot be read is told by who recalls it.
	if json.Unmarshal(memory, &m) != nil || m.Version == 0 {
		return 1
	}
	return m.Version
}

// withVersion puts the version before the fields of a memory.
func withVersion(memory []byte) json.RawMessage {
	fields, isObject := bytes.CutPrefix(memory, []byte("{"))
	if !isObject {
		return memory
	}
	begin := fmt.Sprintf(`{"version":%d`, StateVersion)
	if !bytes.Equal(fields, []byte("}")) {
		begin += ","
	}
	return append([]byte(begin), fields...)
}
