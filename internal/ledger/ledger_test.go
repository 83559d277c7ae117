package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/fault"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func chain(t testing.TB, n int) []Event {
	t.Helper()
	var events []Event
	for i := range n {
		events = append(events, Event{Release: "r1", At: start.Add(time.Duration(i) * time.Second), Kind: "stage.passed",
			Actor: "fairway", Environment: "staging", Stage: "canary", Text: fmt.Sprintf("step %d", i), Data: json.RawMessage(`{"a":1}`)})
	}
	lines, _, err := Append(Head{}, events...)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestTheCanonicalFormIsFixed(t *testing.T) {
	line := chain(t, 1)[0]
	// Computed from the description of Sum by a program in another language.
	const want = "49da952d9df2ddea3a9b049f3e992f3b86f436fd806a0a2604b18269fbe40fd2"
	if line.Hash != want {
		t.Errorf("hash of the first line = %s, want %s: stored chains would no longer verify", line.Hash, want)
	}
}

func TestAppendContinuesAChain(t *testing.T) {
	whole := chain(t, 5)
	first, head, err := Append(Head{}, whole[:2]...)
	if err != nil {
		t.Fatal(err)
	}
	rest, end, err := Append(head, whole[2:]...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, append(first, rest...)); diff != "" {
		t.Errorf("two appends differ from one (-one +two):\n%s", diff)
	}
	if want := (Head{Seq: 5, Hash: whole[4].Hash}); end != want {
		t.Errorf("head = %v, want %v", end, want)
	}
}

func TestAppendRefusesWhatIsNotALine(t *testing.T) {
	for name, events := range map[string][]Event{
		"no release":   {{Kind: "a"}},
		"two releases": {{Release: "r1"}, {Release: "r2"}},
		"broken data":  {{Release: "r1", Data: json.RawMessage(`{"a":`)}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := Append(Head{}, events...); fault.CodeOf(err) != fault.Internal {
				t.Errorf("Append = %v, want an internal fault", err)
			}
		})
	}
}

func TestALineKeepsItsHashThroughJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := eventGen("r1").Draw(t, "event")
		lines, head, err := Append(Head{}, e)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(lines)
		if err != nil {
			t.Fatal(err)
		}
		var back []Event
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if err := VerifyTo(back, head); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
	})
}

func TestOtherTimeZonesAreTheSameInstant(t *testing.T) {
	line := chain(t, 1)[0]
	line.At = line.At.In(time.FixedZone("X", 3600))
	if err := Verify([]Event{line}); err != nil {
		t.Error(err)
	}
}

func TestVerifyNamesTheFirstBrokenLine(t *testing.T) {
	cases := []struct {
		name   string
		change func(lines []Event) []Event
		seq    int64
		flaw   Flaw
		text   string
	}{
		{"a changed text", func(l []Event) []Event { l[2].Text = "x"; l[4].Text = "y"; return l }, 3, FlawHash, "line 3 of the chain of release r1 was changed"},
		{"a changed hash", func(l []Event) []Event { l[2].Hash = l[1].Hash; return l }, 3, FlawHash, "was changed"},
		{"a changed link", func(l []Event) []Event { l[2].Previous = l[0].Hash; return l }, 3, FlawLink, "does not follow"},
		{"a rehashed line", func(l []Event) []Event { l[2].Text = "x"; l[2].Hash = l[2].Sum(); return l }, 4, FlawLink, "does not follow"},
		{"a missing line", func(l []Event) []Event { return slices.Delete(l, 1, 2) }, 3, FlawGap, "line 2 is missing"},
		{"a missing first line", func(l []Event) []Event { return l[1:] }, 2, FlawGap, "line 1 is missing"},
		{"a repeated line", func(l []Event) []Event { return slices.Insert(l, 2, l[1]) }, 2, FlawOrder, "line 3 belongs there"},
		{"swapped lines", func(l []Event) []Event { l[1], l[2] = l[2], l[1]; return l }, 3, FlawGap, "line 2 is missing"},
		{"a line of another chain", func(l []Event) []Event { l[2].Release = "r9"; return l }, 3, FlawChain, `belongs to release "r9"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := Verify(c.change(chain(t, 6)))
			var b *Broken
			if !errors.As(err, &b) || fault.CodeOf(err) != fault.Conflict {
				t.Fatalf("Verify = %v, want a conflict that wraps *Broken", err)
			}
			if b.Seq != c.seq || b.Flaw != c.flaw || !strings.Contains(err.Error(), c.text) {
				t.Errorf("Verify = line %d, %s, %q; want line %d, %s, %q", b.Seq, b.Flaw, err, c.seq, c.flaw, c.text)
			}
		})
	}
}

func TestACutOffEndIsFoundOnlyByTheHead(t *testing.T) {
	lines := chain(t, 4)
	head := Head{Seq: 4, Hash: lines[3].Hash}
	if err := VerifyTo(lines, head); err != nil {
		t.Fatal(err)
	}
	cut := lines[:3]
	if err := Verify(cut); err != nil {
		t.Errorf("Verify of a shorter chain = %v, want nil", err)
	}
	var b *Broken
	if err := VerifyTo(cut, head); !errors.As(err, &b) || b.Flaw != FlawEnd {
		t.Errorf("VerifyTo = %v, want a broken end", err)
	}
	if err := VerifyTo(nil, head); !errors.As(err, &b) || b.Flaw != FlawEnd {
		t.Errorf("VerifyTo of nothing = %v, want a broken end", err)
	}
}

func TestAVerifierStaysBroken(t *testing.T) {
	lines := chain(t, 3)
	var v Verifier
	if err := v.Add(lines[0]); err != nil {
		t.Fatal(err)
	}
	first := v.Add(lines[2])
	if first == nil || v.Add(lines[1]) != first || v.EndsAt(v.Head()) != first {
		t.Errorf("a verifier went on after its first broken line (%v)", first)
	}
}
