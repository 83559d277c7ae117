package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// canon names the canonical form. A new form gets a new name, so that no line of
// one form can be taken for a line of another.
const canon = "fairway-ledger-1"

// stamp is RFC 3339 in UTC with exactly nine digits of a second.
const stamp = "2006-01-02T15:04:05.000000000Z"

// Sum returns the hash that the line must have: the SHA-256, in lower-case
// hexadecimal, of the line's canonical form.
//
// The canonical form is eleven fields, each written as the length of its bytes in
// decimal, a colon, the bytes, and a line feed:
//
//	the text "fairway-ledger-1"
//	Release
//	Seq          in decimal
//	At           in UTC, as 2006-01-02T15:04:05.000000000Z
//	Kind
//	Actor
//	Environment
//	Stage
//	Text
//	Data         its exact bytes; empty if there is none
//	Previous
//
// Texts are UTF-8. The lengths make the form unambiguous: no two different lines
// have the same one.
func (e Event) Sum() string {
	b := make([]byte, 0, 512+len(e.Text)+len(e.Data))
	b = field(b, canon)
	b = field(b, e.Release)
	b = field(b, strconv.FormatInt(e.Seq, 10))
	b = field(b, e.At.UTC().Format(stamp))
	b = field(b, e.Kind)
	b = field(b, e.Actor)
	b = field(b, e.Environment)
	b = field(b, e.Stage)
	b = field(b, e.Text)
	b = field(b, e.Data)
	b = field(b, e.Previous)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func field[T ~string | ~[]byte](b []byte, value T) []byte {
	b = strconv.AppendInt(b, int64(len(value)), 10)
	b = append(b, ':')
	b = append(b, value...)
	return append(b, '\n')
}
