package pipeline

import (
	"fmt"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Fault is one thing that is wrong in a definition, with its place.
type Fault struct {
	File string `json:"file"`
	// Line and Column begin with 1 and count characters; both are 0 where the fault is in the file as a whole.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Source is the offending line.
	Source  string `json:"source,omitempty"`
	Message string `json:"message"`
	// Hint says what to do about it.
	Hint string `json:"hint,omitempty"`

	width int
}

// Faults are all faults of a definition, in the order of their places. As an
// error they have the code fault.Invalid.
type Faults []Fault

// maxFaults bounds what one file can make Fairway say.
const maxFaults = 100

// maxSource bounds the part of a line that is shown, in characters.
const maxSource = 120

// Error prints every fault with its source, a caret below and its hint.
func (f Faults) Error() string {
	var b strings.Builder
	for i, one := range f {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(one.String())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// As lets errors.As find the faults as one fault.Error.
func (f Faults) As(target any) bool {
	e, ok := target.(**fault.Error)
	if ok {
		*e = &fault.Error{Code: fault.Invalid, Message: f.Error()}
	}
	return ok
}

// String prints the fault over several lines.
func (f Fault) String() string {
	var b strings.Builder
	if f.Line == 0 {
		fmt.Fprintf(&b, "%s: %s\n", f.File, f.Message)
	} else {
		fmt.Fprintf(&b, "%s:%d:%d: %s\n", f.File, f.Line, f.Column, f.Message)
		f.writeSource(&b)
	}
	if f.Hint != "" {
		fmt.Fprintf(&b, "  hint: %s\n", f.Hint)
	}
	return b.String()
}

// writeSource shows the line, or the part of a long one around the column.
func (f Fault) writeSource(b *strings.Builder) {
	line := []rune(strings.ReplaceAll(f.Source, "\t", " "))
	at := min(max(f.Column-1, 0), len(line))
	before, after := "", ""
	if start := at - maxSource/2; start > 0 {
		line, at, before = line[start:], at-start, "…"
	}
	if len(line) > maxSource {
		line, after = line[:maxSource], "…"
	}
	width := min(max(f.width, 1), max(len(line)-at, 1))
	fmt.Fprintf(b, "%5d | %s%s%s\n", f.Line, before, string(line), after)
	fmt.Fprintf(b, "      | %s%s\n", strings.Repeat(" ", at+len([]rune(before))), strings.Repeat("^", width))
}
