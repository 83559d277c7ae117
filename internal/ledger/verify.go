package ledger

import (
	"fmt"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Flaw says what is wrong with a line.
type Flaw string

// The flaws, in the order in which they are looked for.
const (
	// FlawChain: the line belongs to another chain.
	FlawChain Flaw = "chain"
	// FlawOrder: the line's number was already passed, so it is repeated, moved or inserted.
	FlawOrder Flaw = "order"
	// FlawGap: lines before this one are missing.
	FlawGap Flaw = "gap"
	// FlawLink: the line does not name the hash of the line before.
	FlawLink Flaw = "link"
	// FlawHash: the line's content is not what was hashed.
	FlawHash Flaw = "hash"
	// FlawEnd: the chain ends elsewhere than at the expected head.
	FlawEnd Flaw = "end"
)

// Broken is the first broken line of a chain.
type Broken struct {
	Release string
	// Seq is the number that the line bears; Expected the one that belonged there.
	Seq      int64
	Expected int64
	Flaw     Flaw
}

// Error says which line is broken and how.
func (b *Broken) Error() string {
	line := fmt.Sprintf("line %d of the chain of release %s", b.Seq, b.Release)
	switch b.Flaw {
	case FlawChain:
		return fmt.Sprintf("line %d in this chain belongs to release %q", b.Seq, b.Release)
	case FlawOrder:
		return fmt.Sprintf("%s is out of order: line %d belongs there", line, b.Expected)
	case FlawGap:
		return fmt.Sprintf("%s comes where line %d is missing", line, b.Expected)
	case FlawLink:
		return line + " does not follow from the line before it: its previous hash is another"
	case FlawHash:
		return line + " was changed: its hash does not match its content"
	default:
		return fmt.Sprintf("the chain of release %s ends at line %d, not at the known line %d", b.Release, b.Seq, b.Expected)
	}
}

// Verify proves a whole chain, from its first line on, or from the one that says what
// was removed before it (KindRemoved). It returns nil or a
// fault.Conflict that wraps *Broken for the first broken line. An empty chain is whole.
func Verify(lines []Event) error {
	_, err := verified(lines)
	return err
}

// VerifyTo is Verify, and proves as well that the chain ends at the head, which
// must come from elsewhere (the run, a checkpoint): so a cut-off end is found too.
func VerifyTo(lines []Event, head Head) error {
	v, err := verified(lines)
	if err != nil {
		return err
	}
	return v.EndsAt(head)
}

func verified(lines []Event) (*Verifier, error) {
	v := &Verifier{}
	for _, line := range lines {
		if err := v.Add(line); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Verifier proves a chain line by line, so that one of any length needs no
// memory. The zero value stands before the first line of any chain.
type Verifier struct {
	release string
	head    Head
	broken  error
}

// Add takes the next line. After the first broken line it returns the same error for ever.
func (v *Verifier) Add(e Event) error {
	if v.broken != nil {
		return v.broken
	}
	if flaw := v.flaw(e); flaw != "" {
		v.broken = broken(Broken{Release: e.Release, Seq: e.Seq, Expected: v.head.Seq + 1, Flaw: flaw})
		return v.broken
	}
	v.release = e.Release
	v.head = Head{Seq: e.Seq, Hash: e.Hash}
	return nil
}

// Head returns the end of what was proved so far.
func (v *Verifier) Head() Head { return v.head }

// EndsAt tells whether the chain was whole and ends at the head.
func (v *Verifier) EndsAt(head Head) error {
	if v.broken != nil {
		return v.broken
	}
	if v.head != head {
		return broken(Broken{Release: v.release, Seq: v.head.Seq, Expected: head.Seq, Flaw: FlawEnd})
	}
	return nil
}

func (v *Verifier) flaw(e Event) Flaw {
	next := v.head.Seq + 1
	if v.head == (Head{}) && begins(e) {
		if e.Hash != e.Sum() {
			return FlawHash
		}
		return ""
	}
	switch {
	case v.release != "" && e.Release != v.release:
		return FlawChain
	case e.Seq < next:
		return FlawOrder
	case e.Seq > next:
		return FlawGap
	case e.Previous != v.head.Hash:
		return FlawLink
	case e.Hash != e.Sum():
		return FlawHash
	}
	return ""
}

func broken(b Broken) error {
	return fault.Errorf(fault.Conflict, "%w", &b).
		WithHint("the record was changed outside of Fairway: compare it with a backup from before")
}
