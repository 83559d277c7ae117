package ledger

import (
	"errors"
	"testing"
	"time"
)

func removed(t *testing.T) (line Event, head Head, gone []Event) {
	t.Helper()
	gone = chain(t, 3)
	line, head, err := Remove("r1", Head{Seq: 3, Hash: gone[2].Hash}, gone[2].At, start.AddDate(2, 0, 0), "17520h")
	if err != nil {
		t.Fatal(err)
	}
	return line, head, gone
}

func TestOneLineTakesThePlaceOfARemovedChain(t *testing.T) {
	line, head, gone := removed(t)
	if err := VerifyTo([]Event{line}, head); err != nil {
		t.Errorf("alone: %v", err)
	}
	if err := VerifyTo(append(gone, line), head); err != nil {
		t.Errorf("after the lines that it stands for, from a copy: %v", err)
	}
	more, end, err := Append(head, Event{Release: "r1", At: start.AddDate(3, 0, 0), Kind: "note"})
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyTo(append([]Event{line}, more...), end); err != nil {
		t.Errorf("with a line after it: %v", err)
	}
}

func TestNothingElseMayTakeThePlaceOfARemovedChain(t *testing.T) {
	line, _, gone := removed(t)
	changed := line
	changed.Text = "nothing was removed"
	fewer := line
	fewer.Data = []byte(`{"lines":2,"until":"2026-03-01T12:00:02.123456789Z","head":"` + gone[2].Hash + `","kept":"1h"}`)
	fewer.Hash = fewer.Sum()
	other := gone[2]
	for name, c := range map[string]struct {
		lines []Event
		flaw  Flaw
	}{
		"a line that was changed":            {[]Event{changed}, FlawHash},
		"one that counts other lines":        {[]Event{fewer}, FlawGap},
		"a line that says nothing of it":     {[]Event{other}, FlawGap},
		"the line in the middle, with a gap": {[]Event{gone[0], line}, FlawGap},
	} {
		t.Run(name, func(t *testing.T) {
			var b *Broken
			if err := Verify(c.lines); !errors.As(err, &b) || b.Flaw != c.flaw {
				t.Errorf("Verify = %v, want the flaw %s", err, c.flaw)
			}
		})
	}
}

func TestAnEmptyChainHasNothingToRemove(t *testing.T) {
	if _, _, err := Remove("r1", Head{}, start, start.Add(time.Hour), "1h"); err == nil {
		t.Error("lines were removed of a chain without lines")
	}
}
