package replay

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
)

// AsItWas is the variant of the record's own settings.
func AsItWas(s judge.Settings) Variant { return Variant{Name: "as it was", Settings: s} }

// Beside are the variants to look at where nobody asks for others: half the margins,
// and twice.
func Beside(s judge.Settings) []Variant {
	scaled := func(name string, by float64) Variant {
		v := Variant{Name: name, Settings: s}
		v.Settings.Errors = judge.ErrorMargin(min(by*s.Errors.Promotion.Add, 0.5))
		v.Settings.Latency = judge.LatencyMargin(by*(s.Latency.Promotion.Ratio-1), v.Settings.Errors.Promotion.Add)
		return v
	}
	return []Variant{scaled("half the margins", 0.5), scaled("twice the margins", 2)}
}

// keys are the settings that a variant may change, by their names in fairway.yaml
// where they have one there.
var keys = map[string]func(s *judge.Settings, value string) error{
	"margin.errors": func(s *judge.Settings, value string) error {
		points, err := number(value, "pp", 0.01)
		s.Errors = judge.ErrorMargin(points)
		return err
	},
	"margin.latency": func(s *judge.Settings, value string) error {
		share, err := number(value, "%", 0.01)
		s.Latency = judge.LatencyMargin(share, s.Errors.Promotion.Add)
		return err
	},
	"falseAlarm": func(s *judge.Settings, value string) (err error) {
		s.FalseAlarm, err = number(value, "%", 0.01)
		return err
	},
	"middle": func(s *judge.Settings, value string) (err error) {
		s.Middle, err = number(value, "%", 0.01)
		return err
	},
	"minimumSamples": func(s *judge.Settings, value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		s.MinimumRequests = n
		if err != nil {
			return fmt.Errorf("%q is not a whole number", value)
		}
		return nil
	},
	"block": func(s *judge.Settings, value string) error {
		d, err := duration(value)
		s.Block = d
		s.MaxBlock, s.OnsetHorizon = max(s.MaxBlock, d), max(s.OnsetHorizon, d)
		return err
	},
	"dwell":       func(s *judge.Settings, value string) (err error) { s.Dwell, err = duration(value); return err },
	"observation": func(s *judge.Settings, value string) (err error) { s.Observation, err = duration(value); return err },
	"watch": func(s *judge.Settings, value string) error {
		d, err := duration(value)
		if s.Watch > 0 { // a canary has none
			s.Watch = d
		}
		return err
	},
}

// Keys are the names of the settings that Parse knows.
func Keys() []string { return slices.Sorted(maps.Keys(keys)) }

// Parse reads changes of settings, such as "margin.errors=1pp,block=30s".
func Parse(text string, s judge.Settings) (Variant, error) {
	v := Variant{Name: text, Settings: s}
	for _, change := range strings.Split(text, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(change), "=")
		set := keys[strings.TrimSpace(key)]
		if !ok || set == nil {
			return Variant{}, fault.Errorf(fault.Invalid, "%q changes no setting of the judge", change).
				WithHint("for instance margin.errors=1pp; there are %s", strings.Join(Keys(), ", "))
		}
		if err := set(&v.Settings, strings.TrimSpace(value)); err != nil {
			return Variant{}, fault.Errorf(fault.Invalid, "%s: %w", key, err).WithHint("for instance %s", examples[strings.TrimSpace(key)])
		}
	}
	if err := v.Settings.Validate(); err != nil {
		return Variant{}, fault.Errorf(fault.Invalid, "the settings %q do not go together: %w", text, err)
	}
	return v, nil
}

var examples = map[string]string{
	"margin.errors": "margin.errors=1pp", "margin.latency": "margin.latency=20%", "falseAlarm": "falseAlarm=1%",
	"middle": "middle=25%", "minimumSamples": "minimumSamples=200", "block": "block=30s", "dwell": "dwell=3m",
	"observation": "observation=1h", "watch": "watch=30m",
}

// number reads a number with its unit.
func number(text, unit string, scale float64) (float64, error) {
	digits, ok := strings.CutSuffix(text, unit)
	n, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(n > 0 && n < 1e6) {
		return 0, fmt.Errorf("%q is not a number above 0 with %s behind it", text, unit)
	}
	return n * scale, nil
}

func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a duration above 0", text)
	}
	return d, nil
}
