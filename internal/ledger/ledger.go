// Package ledger is the record of everything that changed: one append-only,
// hash-chained list of events per release.
//
// It computes and verifies hashes; where the lines are kept is not its business.
//
//	lines, head, err := ledger.Append(head, events...)   // fills Seq, Previous and Hash
//	err = ledger.Verify(lines)                           // nil, or names the first broken line
//
// A chain proves that no line was changed, removed, inserted or moved since the
// lines after it were written. Whoever can rewrite a chain to its end, or cut its
// end off, is found only by comparing with a head that was kept elsewhere: see
// VerifyTo. What is too old may be removed as a whole chain: see Remove.
package ledger

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Event is one line of the ledger.
type Event struct {
	// Release names the chain; Seq counts its lines from 1.
	Release string    `json:"release"`
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	// Kind is dotted, for instance "stage.passed".
	Kind        string          `json:"kind"`
	Actor       string          `json:"actor"`
	Environment string          `json:"environment,omitempty"`
	Stage       string          `json:"stage,omitempty"`
	Text        string          `json:"text"`
	Data        json.RawMessage `json:"data,omitempty"`
	// Previous is the hash of the line before, empty for the first; Hash covers everything else.
	Previous string `json:"previous"`
	Hash     string `json:"hash"`
}

// Head is the end of a chain. The zero value is the head of an empty chain.
type Head struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Append returns the events as the next lines of the chain that ends at head, and
// the new head. It fills Seq, Previous and Hash and leaves its arguments alone.
// All events must name the same release; Data must be JSON, or empty.
//
// Texts and Data are brought to the form in which they come back from JSON, and
// At to UTC, so a line that travelled through the API still has its hash. Zero bytes,
// which not every store keeps in a text, become U+FFFD as what is no UTF-8 does.
func Append(head Head, events ...Event) ([]Event, Head, error) {
	lines := make([]Event, 0, len(events))
	for _, e := range events {
		if e.Release == "" || e.Release != events[0].Release {
			return nil, head, fault.Errorf(fault.Internal, "append event %s: release %q does not name the chain", e.Kind, e.Release)
		}
		line, err := settled(e)
		if err != nil {
			return nil, head, err
		}
		line.Seq = head.Seq + 1
		line.Previous = head.Hash
		line.Hash = line.Sum()
		head = Head{Seq: line.Seq, Hash: line.Hash}
		lines = append(lines, line)
	}
	return lines, head, nil
}

// settled returns the event in the one form that survives a round trip through JSON.
func settled(e Event) (Event, error) {
	e.At = e.At.Round(0).UTC()
	for _, s := range []*string{&e.Release, &e.Kind, &e.Actor, &e.Environment, &e.Stage, &e.Text} {
		*s = strings.ReplaceAll(strings.ToValidUTF8(*s, "\uFFFD"), "\x00", "\uFFFD")
	}
	if len(e.Data) == 0 {
		e.Data = nil
		return e, nil
	}
	// Marshalling a RawMessage compacts and escapes it just as the API's encoder will.
	data, err := json.Marshal(e.Data)
	if err != nil {
		return e, fault.Errorf(fault.Internal, "append event %s of release %s: data is not JSON: %w", e.Kind, e.Release, err)
	}
	e.Data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	return e, nil
}
