package stage

import (
	"context"
	"fmt"
	"strings"

	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/fault"
)

// job runs a command to its end. It runs on when the worker dies, and the next one
// finds it. The undoing stops it where it was cut off, and then runs the undo command.
type job struct{ Deps }

type jobMemory struct {
	// Begun is where the command may have begun.
	Begun places `json:"begun,omitempty"`
	// Ended says that the command has come to its end.
	Ended bool `json:"ended,omitempty"`
	// Stopped says that an undoing has made sure that it does not run here.
	Stopped bool `json:"stopped,omitempty"`
	// Warned says that a person was told where it may still run.
	Warned bool `json:"warned,omitempty"`
	// Undo is the undo command that was begun last, and may still run.
	Undo undoCommand `json:"undo,omitzero"`
}

func (e *job) Tick(ctx context.Context, task Task) (Outcome, error) {
	if task.Undo {
		return e.undo(ctx, task)
	}
	var m jobMemory
	if err := recall(task, &m); err != nil {
		return Outcome{}, err
	}
	here := e.Commands.Where()
	if _, noted := m.Begun[here]; !noted {
		return e.note(task, m), nil
	}
	s, err := e.Commands.Observe(commandID(task))
	if err != nil {
		return Outcome{}, err
	}
	if s.Phase == command.None && task.Hold != "" {
		return next(m, laterLook, &Progress{Now: "Held before the command begins: " + task.Hold + "."}), nil
	}
	return e.carryOut(ctx, task, "the command", task.Stage.Job.Command, commandID(task), s, m)
}

// note remembers that the command begins here, before it does.
func (e *job) note(task Task, m jobMemory) Outcome {
	out := Outcome{Status: Continue, Progress: &Progress{Now: "The command begins."}}
	if len(m.Begun) > 0 {
		out.Lines = []Line{moved("job.moved", "command", task, m.Begun)}
	}
	m.Begun = m.Begun.with(e.Commands.Where(), task.Held)
	out.State = remember(m)
	return out
}

// carryOut starts the command if that is still to be done, and says how it stands.
func (e *job) carryOut(ctx context.Context, task Task, what string, args []string, id string, s command.State, m jobMemory) (Outcome, error) {
	switch s.Phase {
	case command.None:
		spec, err := specOf(task, args, task.Stage.Job.Env, task.Stage.Job.Secrets)
		if err == nil {
			err = e.Commands.Start(ctx, id, spec)
		}
		if fault.CodeOf(err) == fault.Invalid { // trying again would change nothing
			return Outcome{Status: Failed, State: remember(m), Reason: fmt.Sprintf("%s %q cannot run: %s", what, strings.Join(args, " "), fault.MessageWithHint(err))}, nil
		}
		if err != nil {
			return Outcome{}, err
		}
		return next(m, firstLook, &Progress{Now: capital(what) + " begins."}), nil
	case command.Running:
		return next(m, nextLook(s, e.Now()), &Progress{Now: running(capital(what), s, e.Now())}), nil
	}
	m.Ended = true
	if s.Good() {
		return Outcome{Status: Passed, State: remember(m), Reason: what + " ended well", Progress: &Progress{Now: capital(what) + " ended well."}}, nil
	}
	return Outcome{Status: Failed, State: remember(m), Reason: commandFailed(what, args, s)}, nil
}

func capital(what string) string { return strings.ToUpper(what[:1]) + what[1:] }
