package worker

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/fairwayhq/fairway/internal/stage"
)

// Whatever a power cut or somebody leaves in the file, what was whole before it is read.
func FuzzJournal(f *testing.F) {
	f.Add([]byte(""), []byte("\n"))
	f.Add([]byte("00000000 {}\n"), []byte("deadbeef {\"status\":\"continue\"}\n"))
	f.Add([]byte("x"), []byte("00000000"))
	whole, err := lineOf(record{Task: stage.Task{ID: "t1", Fence: 3}, Number: 7, Sent: &stage.Report{Number: 7}})
	if err != nil {
		f.Fatal(err)
	}
	tick, err := lineOf(stage.Outcome{Status: stage.Continue, State: json.RawMessage(`{"n":1}`)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, tail []byte) {
		if r, ok := parseJournal(text); ok && (r.Task.ID == "" || r.Task.Fence <= 0) {
			t.Errorf("%q is a journal of no task", text)
		}
		r, ok := parseJournal(bytes.Join([][]byte{whole, tick, tail}, nil))
		if !ok || r.Number != 7 || r.Sent == nil || len(r.Rest) == 0 || r.Rest[0].Status != stage.Continue {
			t.Fatalf("with the tail %q it is read as %+v", tail, r)
		}
	})
}
