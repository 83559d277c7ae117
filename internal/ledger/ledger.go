// Package ledger is the record of everything that changed: one append-only,
// hash-chained list of events per release.
//
// It computes and verifies hashes; where the lines are kept is not its business.
package ledger

import (
	"encoding/json"
	"time"
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
