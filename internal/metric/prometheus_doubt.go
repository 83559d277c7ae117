package metric

import (
	"context"
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/mathext"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
)

// doubt says why a look carries no evidence, or nothing. The cursor then stays,
// so that the next good look carries everything.
func (p *Prometheus) doubt(ctx context.Context, before, after *promCursor, s judge.Sample, seen []armSeries) (string, error) {
	arms := []judge.Arm{s.Stable, s.Canary}
	for i, a := range seen {
		was := before.Arms[a.revision]
		switch {
		case len(a.requests) == 0 && len(was.Requests) == 0:
			return a.absent(), nil
		case !a.fresh(was) && len(was.Requests) == 0:
			return fmt.Sprintf("nothing of the %s arm has been scraped yet", a.arm), nil
		case !a.fresh(was):
			return fmt.Sprintf("nothing of the %s arm has been scraped since %s", a.arm, was.newest().Format(time.TimeOnly)), nil
		case p.queries["errors"].windowed() && !newer(a.errors, was.Errors):
			return fmt.Sprintf("the errors query gives nothing of the %s arm for a window; it must give 0 where there are none", a.arm), nil
		case arms[i].Errors > arms[i].Requests:
			return fmt.Sprintf("the %s arm counts %d errors in %d requests", a.arm, arms[i].Errors, arms[i].Requests), nil
		}
	}
	least := before.leastWeight(s.At, p.Interval())
	after.Traffic = before.Traffic.and(s, least, float64(s.At.UnixMilli()-before.At)/float64(p.Interval().Milliseconds()))
	if after.Traffic.missing() {
		return fmt.Sprintf("traffic is missing: the canary had %d requests at a weight of %.2g %%, while stable had %d",
			s.Canary.Requests, 100*least, s.Stable.Requests), nil
	}
	return p.errorsUnknown(ctx, after, s.At)
}

// absent says that there is nothing of the arm, or nothing.
func (a armSeries) absent() string {
	if len(a.requests) > 0 {
		return ""
	}
	return fmt.Sprintf("the requests query finds nothing of the %s arm (revision %s)", a.arm, a.revision)
}

// young says that nothing of the arm is older than the instant, or nothing. A
// first look at stable then has to wait: in a store that is only just filling,
// all that its instances ever counted would look new.
func (a armSeries) young(than time.Time) string {
	for _, s := range a.requests {
		if len(s.readings) > 0 && s.readings[0].t < than.UnixMilli() {
			return ""
		}
	}
	if why := a.absent(); why != "" {
		return why
	}
	return fmt.Sprintf("the %s arm has been scraped for too short a time yet", a.arm)
}

// traffic is what the canary had lately, beside what its weight should have
// given it. Because the instances are scraped one after the other, a burst may
// be in one look of stable and in the next of the canary; so looks are taken
// together, and forgotten by half every two scrape intervals.
type traffic struct {
	Expected float64 `json:"expected"`
	Canary   float64 `json:"canary"`
}

// and adds a sample that spans a number of scrape intervals.
func (t traffic) and(s judge.Sample, weight, intervals float64) traffic {
	keep := math.Exp2(-intervals / 2)
	sum := traffic{Expected: keep * t.Expected, Canary: keep*t.Canary + float64(s.Canary.Requests)}
	if weight > 0 && weight < 1 {
		sum.Expected += float64(s.Stable.Requests) * weight / (1 - weight)
	}
	return sum
}

// missing tells whether the canary got far less than its share: so little that
// it would be one chance in a million even with half of it.
func (t traffic) missing() bool {
	half := t.Expected / 2
	// The chance that a Poisson variable of this mean is at most n is Q(n+1, mean).
	return half > t.Canary && mathext.GammaIncRegComp(math.Floor(t.Canary)+1, half) < 1e-6
}

// errorsUnknown says that the errors query may never find anything, or nothing.
// Counters of errors often come into being with the first error, so none is as
// good as zero where the name is known: it is that of the requests, or something
// has it.
func (p *Prometheus) errorsUnknown(ctx context.Context, c *promCursor, at time.Time) (string, error) {
	for _, arm := range c.Arms {
		if len(arm.Errors) > 0 {
			return "", nil
		}
	}
	name := p.queries["errors"].name
	if name == "" || name == p.queries["requests"].name {
		return "", nil
	}
	ok, err := p.api.exists(ctx, name, at)
	if err != nil {
		return "", fmt.Errorf("the errors: %w", err)
	}
	if !ok {
		return fmt.Sprintf("nothing is named %s, as the errors query says", name), nil
	}
	return "", nil
}

// Probe implements Prober.
func (p *Prometheus) Probe(ctx context.Context, ask Ask) error {
	stable := ask.arms()[0]
	if why := p.nameless(ask, stable); why != "" {
		return fault.Errorf(fault.Unavailable, "%s", why)
	}
	for _, name := range queryNames {
		s, ok := p.armSelector(name, ask, stable)
		if !ok {
			continue
		}
		if err := p.probe(ctx, name, s, ask.Now); err != nil {
			return err
		}
	}
	return p.probeCustom(ctx, ask)
}

// probe asks one query, and whether anything has its name.
func (p *Prometheus) probe(ctx context.Context, name string, s selector, now time.Time) error {
	if _, err := p.api.samples(ctx, s, 4*p.Interval(), now); err != nil {
		return p.probeFault(name, err)
	}
	if s.name == "" {
		return nil
	}
	known, err := p.api.exists(ctx, s.name, now)
	if err != nil {
		return p.probeFault(name, err)
	}
	if !known {
		return fault.Errorf(fault.Invalid, "Prometheus at %s has nothing named %s, as the %s query says", p.api.base.Redacted(), s.name, name).
			WithHint("look for the name in Prometheus' own page; it must be the counter as it is scraped")
	}
	return nil
}

func (p *Prometheus) probeFault(name string, err error) error {
	if fault.CodeOf(err) == fault.Invalid {
		return fmt.Errorf("the %s query: %w", name, err)
	}
	return fault.Errorf(fault.Unavailable, "Prometheus at %s, asked for the %s: %w", p.api.base.Redacted(), name, err).
		WithHint("see whether the URL is right and can be reached from here")
}
