package stage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/fault"
)

// job runs a command to its end. It runs on when the worker dies, and the next one
// finds it. The undoing stops it where it was cut off, and then runs the undo command.
type job struct{ Deps }

type jobMemory struct {
	// Begun names the machines on which the command may have begun, with the worker
	// that was there. It is remembered before the start.
	Begun map[string]string `json:"begun,omitempty"`
	// Ended says that the command has come to its end.
	Ended bool `json:"ended,omitempty"`
	// Stopped says that an undoing has made sure that it does not run here.
	Stopped bool `json:"stopped,omitempty"`
	// Warned says that a person was told where it may still run.
	Warned bool `json:"warned,omitempty"`
}

func (e *job) Tick(ctx context.Context, task Task) (Outcome, error) {
	var m jobMemory
	if err := recall(task, &m); err != nil {
		return Outcome{}, err
	}
	if task.Undo {
		return e.undo(ctx, task, m)
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
		out.Lines = []Line{{Kind: "job.moved", Text: fmt.Sprintf(
			"The command of stage %s begins anew on worker %s; where it may have begun before: %s.", task.Stage.Name, task.Held, m.places())}}
	}
	begun := map[string]string{e.Commands.Where(): task.Held}
	maps.Copy(begun, m.Begun)
	m.Begun = begun
	out.State = remember(m)
	return out
}

// places are the workers on whose machines the command may have begun.
func (m jobMemory) places() string {
	return "worker " + strings.Join(slices.Sorted(maps.Values(m.Begun)), ", worker ")
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
			return Outcome{Status: Failed, State: remember(m), Reason: fmt.Sprintf("%s %q cannot run: %s", what, strings.Join(args, " "), fault.MessageOf(err))}, nil
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

// undo makes sure that the command does not run, and then runs the undo command, if
// there is one. A retreat is held by nothing.
func (e *job) undo(ctx context.Context, task Task, m jobMemory) (Outcome, error) {
	if len(task.State) == 0 {
		if err := recall(Task{Stage: task.Stage, State: task.Memories[task.Stage.Name]}, &m); err != nil {
			return Outcome{}, err
		}
	}
	if !m.Ended && !m.Stopped {
		if err := e.Commands.Stop(ctx, commandID(task)); err != nil {
			return Outcome{}, err
		}
		m.Stopped = true
		m.Begun = maps.Clone(m.Begun)
		delete(m.Begun, e.Commands.Where())
	}
	if !m.Ended && len(m.Begun) > 0 && !m.Warned {
		m.Warned = true
		return Outcome{Status: Failed, State: remember(m), Reason: fmt.Sprintf(
			"its command was begun on the machine of %s, and from here it is not known whether it still runs; end it there", m.places())}, nil
	}
	args := task.Stage.Job.Undo
	if len(args) == 0 {
		return Outcome{Status: Passed, State: remember(m), Reason: "the command does not run any more"}, nil
	}
	// Each try of the undoing is a task of its own, and so is its command.
	id := commandID(task) + ".undo." + task.ID
	s, err := e.Commands.Observe(id)
	if err != nil {
		return Outcome{}, err
	}
	forward := m.Ended
	out, err := e.carryOut(ctx, task, "the undo command", args, id, s, m)
	if err == nil && out.Status != Continue {
		m.Ended = forward // what ended is the undo's
		out.State = remember(m)
	}
	return out, err
}

func capital(what string) string { return strings.ToUpper(what[:1]) + what[1:] }
