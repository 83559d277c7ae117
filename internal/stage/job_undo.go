package stage

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// undoCommand is the undo command of one try of the undoing.
type undoCommand struct {
	ID string `json:"id,omitempty"`
	// Begun is where it may have begun.
	Begun places `json:"begun,omitempty"`
}

// undo makes sure that the command does not run, then that no earlier try of the
// undoing does, and then runs the undo command, if there is one. No person holds a
// retreat; but a worker that is cut off begins no command, as no fence keeps another from it.
func (e *job) undo(ctx context.Context, task Task) (Outcome, error) {
	var m jobMemory
	if err := recallUndo(task, &m); err != nil {
		return Outcome{}, err
	}
	if out, err := e.stopCommand(ctx, task, &m); err != nil || out.Status == Failed {
		return out, err
	}
	if len(task.Stage.Job.Undo) == 0 {
		return Outcome{Status: Passed, State: remember(m), Reason: "the command does not run any more"}, nil
	}
	// Each try of the undoing is a task of its own, and so is its command.
	id := commandID(task) + ".undo." + task.ID
	if m.Undo.ID != id {
		if out, err := e.stopEarlierUndo(ctx, &m); err != nil || out.Status == Failed {
			return out, err
		}
		m.Undo = undoCommand{ID: id}
	}
	if _, noted := m.Undo.Begun[e.Commands.Where()]; !noted {
		return e.noteUndo(task, m), nil
	}
	return e.runUndo(ctx, task, m)
}

// stopCommand makes sure that the job's own command does not run, where it was cut
// off. Of one on another machine a person is told once, and then believed.
func (e *job) stopCommand(ctx context.Context, task Task, m *jobMemory) (Outcome, error) {
	if m.Ended {
		return Outcome{}, nil
	}
	if !m.Stopped {
		if err := e.Commands.Stop(ctx, commandID(task)); err != nil {
			return Outcome{}, err
		}
		m.Stopped = true
		m.Begun = m.Begun.without(e.Commands.Where())
	}
	if len(m.Begun) > 0 && !m.Warned {
		m.Warned = true
		return elsewhere(*m, "command", m.Begun), nil
	}
	return Outcome{}, nil
}

// stopEarlierUndo does the same with the undo command of an earlier try.
func (e *job) stopEarlierUndo(ctx context.Context, m *jobMemory) (Outcome, error) {
	if m.Undo.ID == "" {
		return Outcome{}, nil
	}
	if err := e.Commands.Stop(ctx, m.Undo.ID); err != nil {
		return Outcome{}, err
	}
	left := m.Undo.Begun.without(e.Commands.Where())
	m.Undo = undoCommand{}
	if len(left) > 0 {
		return elsewhere(*m, "undo command", left), nil
	}
	return Outcome{}, nil
}

// noteUndo remembers that the undo command begins here, before it does.
func (e *job) noteUndo(task Task, m jobMemory) Outcome {
	out := Outcome{Status: Continue, Progress: &Progress{Now: "The undo command begins."}}
	if len(m.Undo.Begun) > 0 {
		out.Lines = []Line{moved("job.moved", "undo command", task, m.Undo.Begun)}
	}
	m.Undo.Begun = m.Undo.Begun.with(e.Commands.Where(), task.Held)
	out.State = remember(m)
	return out
}

// runUndo starts the undo command if that is still to be done, stops it at its time
// limit, and says how it stands.
func (e *job) runUndo(ctx context.Context, task Task, m jobMemory) (Outcome, error) {
	s, err := e.Commands.Observe(m.Undo.ID)
	late := err == nil && s.Phase == command.Running && !e.Now().Before(undoUntil(task, s))
	if late {
		if err := e.Commands.Stop(ctx, m.Undo.ID); err != nil {
			return Outcome{}, err
		}
		s, err = e.Commands.Observe(m.Undo.ID)
	}
	if err != nil {
		return Outcome{}, err
	}
	if s.Phase == command.None && task.Hold != "" {
		return next(m, laterLook, &Progress{Now: "Held before the undo command begins: " + task.Hold + "."}), nil
	}
	ended := m.Ended
	out, err := e.carryOut(ctx, task, "the undo command", task.Stage.Job.Undo, m.Undo.ID, s, m)
	if err != nil || out.Status == Continue {
		return out, err
	}
	m.Ended = ended // what ended is the undo command
	m.Undo.Begun = m.Undo.Begun.without(e.Commands.Where())
	if len(m.Undo.Begun) == 0 {
		m.Undo = undoCommand{}
	}
	out.State = remember(m)
	if late && s.Phase == command.Stopped {
		out.Reason = fmt.Sprintf("it did not end within its time limit of %s: %s", pipeline.Duration(task.Stage.UndoLimit()), out.Reason)
	}
	return out, nil
}

// undoUntil is when the undo command has had its time: all of it counts from its own
// begin, and what an outage took was added to the task's deadline.
func undoUntil(task Task, s command.State) time.Time {
	until := s.StartedAt.Add(task.Stage.UndoLimit())
	if task.Deadline.After(until) {
		return task.Deadline
	}
	return until
}
