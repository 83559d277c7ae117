package ledger

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func eventGen(release string) *rapid.Generator[Event] {
	return rapid.Custom(func(t *rapid.T) Event {
		return Event{
			Release:     release,
			At:          time.Unix(0, rapid.Int64Range(0, 4e18).Draw(t, "at")),
			Kind:        rapid.String().Draw(t, "kind"),
			Actor:       anyText().Draw(t, "actor"),
			Environment: rapid.String().Draw(t, "environment"),
			Stage:       rapid.String().Draw(t, "stage"),
			Text:        anyText().Draw(t, "text"),
			Data:        dataGen().Draw(t, "data"),
		}
	})
}

// anyText is also text that is not UTF-8.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
}

func dataGen() *rapid.Generator[json.RawMessage] {
	return rapid.Custom(func(t *rapid.T) json.RawMessage {
		switch rapid.IntRange(0, 3).Draw(t, "shape") {
		case 0:
			return nil
		case 1:
			return json.RawMessage(` { "a" : [ 1 , 2 ] , "b" : "<&>" } `)
		case 2:
			return json.RawMessage("null")
		}
		b, err := json.Marshal(rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "map"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

func chainGen() *rapid.Generator[[]Event] {
	return rapid.Custom(func(t *rapid.T) []Event {
		lines, head, err := Append(Head{}, rapid.SliceOfN(eventGen("r1"), 1, 8).Draw(t, "events")...)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyTo(lines, head); err != nil {
			t.Fatalf("a whole chain is not whole: %v", err)
		}
		return lines
	})
}

func headOf(lines []Event) Head {
	last := lines[len(lines)-1]
	return Head{Seq: last.Seq, Hash: last.Hash}
}

func TestAnyChangeOfAnyFieldIsFound(t *testing.T) {
	fields := map[string]func(e *Event, t *rapid.T){
		"release":     func(e *Event, t *rapid.T) { e.Release = changed(t, e.Release) },
		"seq":         func(e *Event, t *rapid.T) { e.Seq += rapid.Int64Range(1, 1<<62).Draw(t, "by") },
		"seq back":    func(e *Event, t *rapid.T) { e.Seq -= rapid.Int64Range(1, 1<<62).Draw(t, "by") },
		"at":          func(e *Event, t *rapid.T) { e.At = e.At.Add(time.Duration(rapid.Int64Range(1, 1<<60).Draw(t, "by"))) },
		"kind":        func(e *Event, t *rapid.T) { e.Kind = changed(t, e.Kind) },
		"actor":       func(e *Event, t *rapid.T) { e.Actor = changed(t, e.Actor) },
		"environment": func(e *Event, t *rapid.T) { e.Environment = changed(t, e.Environment) },
		"stage":       func(e *Event, t *rapid.T) { e.Stage = changed(t, e.Stage) },
		"text":        func(e *Event, t *rapid.T) { e.Text = changed(t, e.Text) },
		"data":        func(e *Event, t *rapid.T) { e.Data = json.RawMessage(changed(t, string(e.Data))) },
		"previous":    func(e *Event, t *rapid.T) { e.Previous = changed(t, e.Previous) },
		"hash":        func(e *Event, t *rapid.T) { e.Hash = changed(t, e.Hash) },
		"text moved from one field to the next": func(e *Event, t *rapid.T) {
			e.Kind, e.Actor = "x"+e.Kind, changed(t, e.Actor)
		},
	}
	for name, change := range fields {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				lines := chainGen().Draw(t, "chain")
				head := headOf(lines)
				change(&lines[rapid.IntRange(0, len(lines)-1).Draw(t, "line")], t)
				if VerifyTo(lines, head) == nil {
					t.Fatal("the change was not found")
				}
				if name != "release" || len(lines) > 1 {
					if Verify(lines) == nil {
						t.Fatal("the change was found only with the head")
					}
				}
			})
		})
	}
}

func changed(t *rapid.T, s string) string {
	return rapid.String().Filter(func(c string) bool { return c != s }).Draw(t, "changed")
}

func TestAnyDeletionSwapOrInsertionIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := chainGen().Draw(t, "chain")
		head := headOf(lines)
		i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
		var broken []Event
		switch rapid.IntRange(0, 3).Draw(t, "attack") {
		case 0:
			broken = slices.Delete(slices.Clone(lines), i, i+1)
		case 1:
			j := rapid.IntRange(0, len(lines)-1).Filter(func(j int) bool { return j != i || len(lines) == 1 }).Draw(t, "with")
			if j == i {
				t.Skip("one line cannot be swapped")
			}
			broken = slices.Clone(lines)
			broken[i], broken[j] = broken[j], broken[i]
		case 2:
			broken = slices.Insert(slices.Clone(lines), i, lines[rapid.IntRange(0, len(lines)-1).Draw(t, "copy")])
		case 3:
			// The best forgery: a line of its own that links and hashes rightly.
			forged := eventGen("r1").Draw(t, "forged")
			before := Head{}
			if i > 0 {
				before = headOf(lines[:i])
			}
			one, _, err := Append(before, forged)
			if err != nil {
				t.Fatal(err)
			}
			broken = slices.Insert(slices.Clone(lines), i, one[0])
		}
		if VerifyTo(broken, head) == nil {
			t.Fatal("the attack was not found")
		}
	})
}
