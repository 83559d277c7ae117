package drift

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

const (
	// maxShown is how many characters of a value are shown.
	maxShown = 300
	// maxLines is how many lines of a long text are shown.
	maxLines = 20
)

// Text writes differences for people, like a diff. desired and live name the two sides,
// such as "Git" and "the cluster".
func Text(differences []Difference, desired, live string) string {
	if len(differences) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", desired, live)
	var last Identity
	for i, d := range differences {
		if i == 0 || d.Object != last {
			fmt.Fprintf(&b, "\n%s\n", clean(d.Object.String()))
			last = d.Object
		}
		switch d.What {
		case Missing:
			fmt.Fprintf(&b, "  is only in %s\n", desired)
		case Extra:
			fmt.Fprintf(&b, "  is only in %s\n", live)
		default:
			fmt.Fprintf(&b, "  %s\n", clean(d.Path))
			removed, added := sides(d.Desired, d.Live)
			for _, line := range removed {
				fmt.Fprintf(&b, "  - %s\n", line)
			}
			for _, line := range added {
				fmt.Fprintf(&b, "  + %s\n", line)
			}
		}
	}
	return b.String()
}

// sides are the lines to show of two values.
func sides(desired, live any) (removed, added []string) {
	d, isText := desired.(string)
	l, isText2 := live.(string)
	if !isText || !isText2 || !strings.Contains(d+l, "\n") {
		return shown(desired), shown(live)
	}
	// Of long texts only what differs.
	removed, added = strings.Split(d, "\n"), strings.Split(l, "\n")
	for len(removed) > 0 && len(added) > 0 && removed[0] == added[0] {
		removed, added = removed[1:], added[1:]
	}
	for len(removed) > 0 && len(added) > 0 && removed[len(removed)-1] == added[len(added)-1] {
		removed, added = removed[:len(removed)-1], added[:len(added)-1]
	}
	return cut(removed), cut(added)
}

func cut(lines []string) []string {
	var out []string
	for i, line := range lines {
		if i == maxLines {
			return append(out, fmt.Sprintf("… and %d lines more", len(lines)-i))
		}
		out = append(out, shorten(clean(line)))
	}
	return out
}

// shown is a value in one line; what is not there has none.
func shown(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		if strings.Contains(v, "\n") {
			return cut(strings.Split(v, "\n"))
		}
		if v != "" && v == strings.TrimSpace(v) {
			return []string{shorten(clean(v))}
		}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return []string{shorten(clean(fmt.Sprint(v)))}
	}
	return []string{shorten(clean(string(raw)))}
}

// clean replaces what would move a terminal's cursor, or change its colours.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' || r == '\u202e' || r == '\u2028' {
			return '\uFFFD'
		}
		return r
	}, s)
}

func shorten(s string) string {
	if r := []rune(s); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return s
}
