package metric

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// An expression is a query with $window in it: any PromQL that gives, for each series, how many
// events there were in the window that ends at the instant. It is asked at instants that lie
// one window apart, always the same ones, so that each event is in one window and no more. A
// window is as long as the interval between two looks, so that each look finds a new one.
// What it gives is believed as it is; a selector is read more exactly.

// window is the word outside of strings that stands for the length of the window.
const window = "$window"

// piece is a part of an expression: the value of a string, or what is between strings.
type piece struct {
	text   string
	quoted bool
	// regular says that the string is a regular expression.
	regular bool
}

// parseQuery reads a selector, or an expression.
func parseQuery(text string) (selector, error) {
	s, err := parseSelector(text)
	if err != nil && strings.Contains(text, window) {
		return parseExpression(text)
	}
	return s, err
}

func parseExpression(text string) (selector, error) {
	var s selector
	depth, windows := 0, 0
	for rest := strings.TrimSpace(text); rest != ""; {
		at := strings.IndexAny(rest, "\"'`")
		if at < 0 {
			at = len(rest)
		}
		plain := rest[:at]
		for _, c := range plain {
			switch c {
			case '(', '{', '[':
				depth++
			case ')', '}', ']':
				depth--
			case '#':
				return selector{}, errors.New("it has a comment")
			}
			if depth < 0 {
				return selector{}, errors.New("it closes more brackets than it opens")
			}
		}
		for _, word := range placeholder.FindAllString(plain, -1) {
			if word != window {
				return selector{}, fmt.Errorf("%s stands outside of a string, where only %s can", word, window)
			}
			windows++
		}
		s.pieces = append(s.pieces, piece{text: plain})
		if rest = rest[at:]; rest == "" {
			break
		}
		value, after, err := parseQuoted(rest)
		if err != nil {
			return selector{}, err
		}
		s.pieces, rest = append(s.pieces, piece{value, true, strings.HasSuffix(strings.TrimSpace(plain), "~")}), after
	}
	switch {
	case depth != 0:
		return selector{}, errors.New("a bracket is not closed")
	case windows == 0:
		return selector{}, fmt.Errorf("it does not say %s outside of strings", window)
	}
	return s, nil
}

// windowed tells whether it is an expression.
func (s selector) windowed() bool { return len(s.pieces) > 0 }

// write writes the expression for Prometheus, but for the length of the window.
func (s selector) write() string {
	var b strings.Builder
	for _, p := range s.pieces {
		if p.quoted {
			b.WriteString(strconv.Quote(p.text))
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// fillPieces replaces the $words of strings, as fill does those of conditions.
func (s selector) fillPieces(values map[string]string) []piece {
	var filled []piece
	for _, p := range s.pieces {
		if p.quoted {
			p.text = placeholder.ReplaceAllStringFunc(p.text, func(word string) string {
				value, known := values[word]
				switch {
				case !known:
					return word
				case p.regular:
					return regexp.QuoteMeta(value)
				}
				return value
			})
		}
		filled = append(filled, p)
	}
	return filled
}

// over is the expression with the length of the window, as it is asked.
func (s selector) over(length time.Duration) string {
	return strings.ReplaceAll(s.String(), window, fmt.Sprintf("%dms", length.Milliseconds()))
}

// cut is the last instant up to at that a window ends at, where any of the queries is an
// expression: what selectors read is then cut there as well. The store counts from 1970.
func (p *Prometheus) cut(at time.Time, queries map[string]selector) time.Time {
	for _, s := range queries {
		if s.windowed() {
			length := p.Interval().Milliseconds()
			return time.UnixMilli(at.UnixMilli() / length * length).UTC()
		}
	}
	return at
}

// newer tells whether any of the series has been read since the last look.
func newer(found map[string]series, was track) bool {
	for key, s := range found {
		if n := len(s.readings); n > 0 && s.readings[n-1].t > was[key].t {
			return true
		}
	}
	return false
}
