package pipeline

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Share is a part of a whole; written as a percentage, kept as a fraction (5% is 0.05).
type Share float64

// Points are percentage points, kept as a fraction (2pp is 0.02).
type Points float64

// Rate is in events per second; written per s, min or h.
type Rate float64

// CommandLine is a command: a list, or text that is split as a shell would.
type CommandLine []string

// NeedDefinition is an earlier environment and how long the release must have run there.
type NeedDefinition = Need

// Needs is a list of environments, or a mapping from an environment to a time.
type Needs []NeedDefinition

// WaveDefinition is the regions of one wave: the name of one, or a list of them.
type WaveDefinition []string

// Form is how a value is written: the pattern that its text matches, what to call
// it, and an example.
type Form struct {
	Pattern, Name, Example string
}

// The forms of the values that are written as text.
var (
	durationForm = Form{`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^[0-9]+(\.[0-9]+)?d$|^0$`, "a duration", "10m"}
	shareForm    = Form{`^[0-9]+(\.[0-9]+)?%$|^0$`, "a percentage", "5%"}
	pointsForm   = Form{`^[0-9]+(\.[0-9]+)?pp$`, "a number of percentage points", "2pp"}
	rateForm     = Form{`^[0-9]+(\.[0-9]+)?/(s|min|h)$`, "a rate", "200/s"}
)

// Form says how a duration is written.
func (Duration) Form() Form { return durationForm }

// Form says how a share is written.
func (Share) Form() Form { return shareForm }

// Form says how percentage points are written.
func (Points) Form() Form { return pointsForm }

// Form says how a rate is written.
func (Rate) Form() Form { return rateForm }

// UnmarshalText reads what ParseDuration accepts.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	*d = v
	return err
}

// UnmarshalText reads "5%" or "0".
func (s *Share) UnmarshalText(text []byte) error {
	if string(text) == "0" {
		*s = 0
		return nil
	}
	n, err := parseQuantity(string(text), "%", "e-2", shareForm)
	*s = Share(n)
	return err
}

// UnmarshalText reads "2pp".
func (p *Points) UnmarshalText(text []byte) error {
	n, err := parseQuantity(string(text), "pp", "e-2", pointsForm)
	*p = Points(n)
	return err
}

// UnmarshalText reads "200/s", "30/min" or "5/h".
func (r *Rate) UnmarshalText(text []byte) error {
	for suffix, seconds := range map[string]float64{"/s": 1, "/min": 60, "/h": 3600} {
		if strings.HasSuffix(string(text), suffix) {
			n, err := parseQuantity(string(text), suffix, "", rateForm)
			*r = Rate(n / seconds)
			return err
		}
	}
	return fmt.Errorf("%q is not a rate such as 200/s, 30/min or 5/h", text)
}

var plainNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// parseQuantity reads a number with its unit. The exponent scales it in decimal, so
// that 0.7% is the float nearest to 0.007.
func parseQuantity(text, unit, exponent string, form Form) (float64, error) {
	number, ok := strings.CutSuffix(text, unit)
	if ok && plainNumber.MatchString(number) {
		if n, err := strconv.ParseFloat(number+exponent, 64); err == nil && !math.IsInf(n, 0) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%q is not %s such as %s", text, form.Name, form.Example)
}

// SplitCommand splits text into words as a shell would: quotes and backslashes
// are understood, nothing is expanded, so $PORT stays as it is.
func SplitCommand(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	inWord, escaped := false, false
	for _, c := range text {
		switch {
		case escaped:
			if quote == '"' && c != '"' && c != '\\' && c != '$' {
				word.WriteRune('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote %c is not closed", quote)
	}
	if escaped {
		return nil, fmt.Errorf("the text ends with a backslash that escapes nothing")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
