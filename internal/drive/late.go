package drive

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// lateKind is the kind of the lines of a worker that was cut off and told too late.
const lateKind = "worker.late"

// failedThere is the ending of a late report, which has no line of its own.
const failedThere = "stage.failed-there"

// mostLate is how many lines of a late report are kept, beside its ending.
const mostLate = 200

// lateLine is what such a line keeps beside its text. It says which line it is, so that a
// report which is told again adds none twice.
type lateLine struct {
	Task   string `json:"task"`
	Fence  int64  `json:"fence"`
	Number int64  `json:"number"`
	Line   int    `json:"line"`
	Kind   string `json:"kind"`
	// Data is what the line itself kept.
	Data json.RawMessage `json:"data,omitempty"`
}

// late keeps what a worker did while it was cut off, although the task is not its own any
// more: that it took a canary back, for instance, which whoever has the task now has only
// seen. The lines become lines of the ledger with a kind of their own; the run, the samples
// and the task stay as they are.
func (t *transition) late(rep Report) error {
	if !rep.Late || len(rep.Outcome.Lines) == 0 && rep.Outcome.Status == stage.Continue {
		return nil
	}
	rec, err := t.loadRun(rep.Release)
	if err != nil {
		return ignoreConflict(err)
	}
	env := rec.Run.Plan.Environment(entryOf(rep))
	known := env != nil && (rep.Stage == "" || slices.ContainsFunc(env.Stages, func(s pipeline.Stage) bool { return s.Name == rep.Stage }))
	if !known || rep.Environment != env.In() || rep.Region != "" && rep.Region != env.Region {
		return fault.Errorf(fault.Conflict, "release %s does not go through %s in %s, which a report came from", rep.Release, rep.Stage, rep.Environment)
	}
	told := slices.Clone(rep.Outcome.Lines[:min(len(rep.Outcome.Lines), mostLate)])
	if rep.Outcome.Status == stage.Failed {
		told = append(told, stage.Line{Kind: failedThere, Text: "The stage had failed there: " + rep.Outcome.Reason})
	}
	lines, err := t.lateLines(rec, rep, told)
	if err != nil || len(lines) == 0 {
		return err
	}
	if err := t.append(&rec, lines); err != nil {
		return err
	}
	return t.saveRun(rec, rec.Wake)
}

// entryOf is the entry of the plan that a report is about; without one the environment is.
func entryOf(rep Report) string { return cmp.Or(rep.Entry, rep.Environment) }

// lateLines are the lines that are not in the ledger yet, neither late nor, where the report
// had been taken in and only its answer was lost, in time.
func (t *transition) lateLines(rec Record, rep Report, told []stage.Line) ([]ledger.Event, error) {
	actor := "worker " + rep.Worker
	before, err := t.tx.LinesBy(rep.Release, actor)
	if err != nil {
		return nil, err
	}
	known := heardBefore(before, rep)
	var lines []ledger.Event
	for i, l := range told {
		data, err := json.Marshal(lateLine{Task: rep.Task, Fence: rep.Fence, Number: rep.Number, Line: i, Kind: l.Kind, Data: l.Data})
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "a late line cannot be kept: %w", err)
		}
		if known.late(data) || known.inTime(l) {
			continue
		}
		text := "Told late by a worker that was cut off: " + l.Text
		if !l.At.IsZero() {
			text += happened + clock(l.At) + " UTC.)"
		}
		lines = append(lines, ledger.Event{
			Release: rep.Release, At: t.now, Kind: lateKind, Actor: actor, Environment: entryOf(rep),
			Stage: rep.Stage, Text: text, Data: data,
		})
	}
	return lines, nil
}
