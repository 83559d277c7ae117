package drive

import (
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/stage"
)

// heard is what the ledger has of a worker's stage already, by what the lines say. A line
// of it stands for one that is told late, not for several.
type heard struct {
	lines map[string][]ledger.Event
	told  map[string]bool
	// failed says that the ledger has the stage's failure for the same reason.
	failed bool
}

// heardBefore is what the report's worker has told of the report's stage.
func heardBefore(before []ledger.Event, rep Report) heard {
	h := heard{lines: map[string][]ledger.Event{}, told: map[string]bool{}}
	for _, l := range before {
		switch {
		case l.Environment != entryOf(rep) || rep.Stage != "" && l.Stage != rep.Stage:
		case l.Kind == lateKind:
			h.told[string(l.Data)] = true
		default:
			key := saying(l.Kind, l.Text, l.Data)
			h.lines[key] = append(h.lines[key], l)
			h.failed = h.failed || l.Kind == "stage.failed" && strings.Contains(l.Text, rep.Outcome.Reason)
		}
	}
	return h
}

// late tells whether the line was told late before; data says which one it is.
func (h heard) late(data []byte) bool { return h.told[string(data)] }

// inTime tells whether the line was taken in in time.
func (h heard) inTime(l stage.Line) bool {
	if l.Kind == failedThere {
		return h.failed
	}
	key := saying(l.Kind, l.Text, l.Data)
	for i, e := range h.lines[key] {
		if sameTime(e, l.At) {
			h.lines[key] = append(h.lines[key][:i:i], h.lines[key][i+1:]...)
			return true
		}
	}
	return false
}

// happened is what stands before the time at which a line happened that was told later.
const happened = " (It happened at "

func clock(at time.Time) string { return at.UTC().Format("15:04:05") }

// clocksDiffer is by how much the clock of a worker may be ahead of the server's.
const clocksDiffer = 2 * time.Second

// sameTime tells whether the line of the ledger can be of what happened at the time: it has
// that time beside it, or was told soon after. A worker too old to tell times may have said
// the same at any.
func sameTime(l ledger.Event, at time.Time) bool {
	if _, noted, ok := strings.Cut(l.Text, happened); ok {
		return at.IsZero() || strings.HasPrefix(noted, clock(at))
	}
	ago := l.At.Sub(at)
	return at.IsZero() || ago <= toldLate && ago >= -clocksDiffer
}

// saying is what two lines of a worker have in common that say the same: what they keep, or
// else their text, without what was added to it here.
func saying(kind, text string, data []byte) string {
	if len(data) > 0 {
		return kind + " " + string(data)
	}
	text, _, _ = strings.Cut(text, happened)
	return kind + " " + text
}
