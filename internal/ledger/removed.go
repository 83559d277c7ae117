package ledger

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// KindRemoved is the line that stands for the whole chain before it, which was removed
// because it was old. It is chained as every line is, so its Previous is the hash of the
// last line that is gone: who has kept that line, or a copy of the chain, can prove it still.
const KindRemoved = "ledger.removed"

// Removal is the data of such a line.
type Removal struct {
	// Lines is how many are gone, the last at Until.
	Lines int64     `json:"lines"`
	Until time.Time `json:"until"`
	// Head is the hash of the last of them.
	Head string `json:"head"`
	// Kept is how long lines are kept, as the setting says it.
	Kept string `json:"kept"`
}

// Remove returns the line that takes the place of the chain that ends at head, and the new
// head. The chain must have lines.
func Remove(release string, head Head, until, now time.Time, kept string) (Event, Head, error) {
	if head.Seq == 0 {
		return Event{}, head, fault.Errorf(fault.Internal, "release %s has no lines to remove", release)
	}
	data, err := json.Marshal(Removal{Lines: head.Seq, Until: until.UTC(), Head: head.Hash, Kept: kept})
	if err != nil {
		return Event{}, head, fault.Errorf(fault.Internal, "encode what is removed of release %s: %w", release, err)
	}
	lines, next, err := Append(head, Event{
		Release: release, At: now, Kind: KindRemoved, Actor: "fairway", Data: data,
		Text: fmt.Sprintf("%d lines, the last of %s, were removed: lines are kept for %s.", head.Seq, until.UTC().Format(time.DateOnly), kept),
	})
	if err != nil {
		return Event{}, head, err
	}
	return lines[0], next, nil
}

// begins tells whether a chain may begin with the line: with the first, or with the one
// that says what was removed before it.
func begins(e Event) bool {
	if e.Kind != KindRemoved {
		return false
	}
	var r Removal
	return json.Unmarshal(e.Data, &r) == nil && r.Lines == e.Seq-1 && r.Head == e.Previous && r.Head != ""
}
