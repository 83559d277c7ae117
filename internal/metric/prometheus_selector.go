package metric

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// selector picks series by name and labels, as in http_requests_total{code=~"5.."}.
type selector struct {
	name     string // may be empty where a matcher names it
	matchers []matcher
	// pieces are of an expression, which has neither name nor matchers.
	pieces []piece
}

// matcher is one condition on a label; op is one of = != =~ !~.
type matcher struct{ label, op, value string }

var (
	selectorName  = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	selectorLabel = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*`)
	placeholder   = regexp.MustCompile(`\$[a-zA-Z]+`)
)

// parseSelector reads a selector and nothing else: no function, no range, no offset.
func parseSelector(text string) (selector, error) {
	var s selector
	rest := strings.TrimSpace(text)
	s.name = selectorName.FindString(rest)
	rest = strings.TrimSpace(rest[len(s.name):])
	if inner, ok := strings.CutPrefix(rest, "{"); ok {
		var err error
		if s.matchers, rest, err = parseMatchers(inner); err != nil {
			return selector{}, err
		}
	}
	switch {
	case rest != "":
		return selector{}, fmt.Errorf("%q follows the selector", rest)
	case s.name == "" && len(s.matchers) == 0:
		return selector{}, fmt.Errorf("the selector is empty")
	}
	return s, nil
}

// parseMatchers reads up to and with the closing brace.
func parseMatchers(text string) (matchers []matcher, rest string, err error) {
	for {
		text = strings.TrimSpace(text)
		if rest, ok := strings.CutPrefix(text, "}"); ok {
			return matchers, strings.TrimSpace(rest), nil
		}
		found := selectorLabel.FindStringSubmatch(text)
		if found == nil {
			return nil, "", fmt.Errorf("a label and one of = != =~ !~ is expected at %q", text)
		}
		m := matcher{label: found[1], op: found[2]}
		if m.value, text, err = parseQuoted(text[len(found[0]):]); err != nil {
			return nil, "", fmt.Errorf("the value of label %s: %w", m.label, err)
		}
		matchers = append(matchers, m)
		text = strings.TrimSpace(text)
		if after, ok := strings.CutPrefix(text, ","); ok {
			text = after
		} else if !strings.HasPrefix(text, "}") {
			return nil, "", fmt.Errorf("a comma or a closing brace is expected after label %s", m.label)
		}
	}
}

// parseQuoted reads a string in double quotes, single quotes or backticks.
func parseQuoted(text string) (value, rest string, err error) {
	if text == "" || !strings.ContainsRune("\"'`", rune(text[0])) {
		return "", "", fmt.Errorf("a quoted string is expected")
	}
	quote := text[0]
	text = text[1:]
	if quote == '`' {
		value, rest, ok := strings.Cut(text, "`")
		if !ok {
			return "", "", fmt.Errorf("the closing %c is missing", quote)
		}
		return value, rest, nil
	}
	var b []byte
	for text != "" && text[0] != quote {
		c, multibyte, tail, err := strconv.UnquoteChar(text, quote)
		if err != nil {
			return "", "", fmt.Errorf("an escape is not valid")
		}
		if text = tail; multibyte {
			b = utf8.AppendRune(b, c)
		} else {
			b = append(b, byte(c))
		}
	}
	if text == "" {
		return "", "", fmt.Errorf("the closing %c is missing", quote)
	}
	return string(b), text[1:], nil
}

// placeholders lists the $words in the values.
func (s selector) placeholders() []string {
	var all []string
	for _, p := range s.pieces {
		if p.quoted {
			all = append(all, placeholder.FindAllString(p.text, -1)...)
		}
	}
	for _, m := range s.matchers {
		all = append(all, placeholder.FindAllString(m.value, -1)...)
	}
	return all
}

// fill replaces the $words by their values. In a regular expression a value
// stands for itself, and no value can end the string it stands in.
func (s selector) fill(values map[string]string) selector {
	filled := selector{name: s.name, pieces: s.fillPieces(values)}
	for _, m := range s.matchers {
		m.value = placeholder.ReplaceAllStringFunc(m.value, func(word string) string {
			value, known := values[word]
			switch {
			case !known:
				return word
			case strings.HasSuffix(m.op, "~"):
				return regexp.QuoteMeta(value)
			default:
				return value
			}
		})
		filled.matchers = append(filled.matchers, m)
	}
	return filled
}

// and returns the selector with one more condition; an expression cannot have one.
func (s selector) and(m matcher) selector {
	if s.windowed() {
		return s
	}
	return selector{name: s.name, matchers: append(append([]matcher(nil), s.matchers...), m)}
}

// String writes the selector for Prometheus.
func (s selector) String() string {
	if s.windowed() {
		return s.write()
	}
	var b strings.Builder
	b.WriteString(s.name)
	if len(s.matchers) == 0 {
		return b.String()
	}
	b.WriteByte('{')
	for i, m := range s.matchers {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.label + m.op + strconv.Quote(m.value))
	}
	b.WriteByte('}')
	return b.String()
}
