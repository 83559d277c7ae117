package metric

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
)

// doubtCustom says why a look at a custom metric carries no evidence, or nothing.
func (p *Prometheus) doubtCustom(ctx context.Context, seen customSeen, before *customMark, counted []judge.Counts, at time.Time) (string, error) {
	lead := seen.metric.queries()[0].key
	for i, a := range seen.arms {
		was := before.Arms[a.revision]
		mark := &armMark{Requests: was.Tracks[lead]}
		look := armSeries{requests: a.series[lead]}
		switch {
		case len(a.series[lead]) == 0 && len(mark.Requests) == 0:
			return a.absent(lead), nil
		case !look.fresh(mark) && len(mark.Requests) == 0:
			return fmt.Sprintf("nothing of the %s arm has been scraped yet", a.arm), nil
		case !look.fresh(mark):
			return fmt.Sprintf("nothing of the %s arm has been scraped since %s", a.arm, mark.newest().Format(time.TimeOnly)), nil
		}
		for _, q := range seen.metric.queries() {
			if key := q.key; len(a.series[key]) == 0 && len(was.Tracks[key]) == 0 && mustBeThere(key, seen.selectors) {
				return a.absent(q.key), nil
			}
			if seen.selectors[q.key].windowed() && !newer(a.series[q.key], was.Tracks[q.key]) {
				return fmt.Sprintf("the query %s gives nothing of the %s arm for a window; it must give 0 where there is nothing", q.key, a.arm), nil
			}
		}
		if why := a.inconsistent(counted[i], seen.metric.kind()); why != "" {
			return why, nil
		}
	}
	return p.badUnknown(ctx, seen, before, at)
}

// mustBeThere tells whether nothing found is not as good as zero. Counters of bad events
// often come into being with the first one. The other way round it would accuse an arm
// of what is only not counted: there is no good event for certain only where the same
// counter has the others.
func mustBeThere(key string, selectors map[string]selector) bool {
	switch key {
	case "bad":
		return false
	case "good":
		name := selectors["good"].name
		return name == "" || name != selectors["of"].name
	}
	return true
}

// absent says that a query finds nothing of the arm.
func (a customArmSeen) absent(key string) string {
	return fmt.Sprintf("the query %s finds nothing of the %s arm (revision %s)", key, a.arm, a.revision)
}

// inconsistent says why the arm's counts do not go together, or nothing. Where single
// counters were scraped at different instants, they do once more has been counted.
func (a customArmSeen) inconsistent(c judge.Counts, kind judge.MetricKind) string {
	switch why := c.Broken(kind); {
	case why == "":
		return ""
	case c.Bad > c.All:
		return fmt.Sprintf("the %s arm counts %d bad events of %d", a.arm, c.Bad, c.All)
	case c.Bad < 0:
		return fmt.Sprintf("the %s arm counts %d good events of %d", a.arm, c.All-c.Bad, c.All)
	default:
		return fmt.Sprintf("the counts of the %s arm do not go together: %s", a.arm, why)
	}
}

// young says that nothing of the stable arm is older than the instant, or nothing: see
// armSeries.young.
func (s customSeen) young(than time.Time) string {
	lead, stable := s.metric.queries()[0].key, s.arms[0]
	if len(stable.series[lead]) == 0 {
		return stable.absent(lead)
	}
	return armSeries{armAsk: stable.armAsk, requests: stable.series[lead]}.young(than)
}

// badUnknown says that the query of bad events may never find anything, or nothing: see
// errorsUnknown.
func (p *Prometheus) badUnknown(ctx context.Context, seen customSeen, before *customMark, at time.Time) (string, error) {
	name := seen.selectors["bad"].name
	if name == "" || name == seen.selectors["of"].name {
		return "", nil
	}
	for _, a := range seen.arms {
		if len(a.series["bad"])+len(before.Arms[a.revision].Tracks["bad"]) > 0 {
			return "", nil
		}
	}
	known, err := p.api.exists(ctx, name, at)
	if err != nil {
		return "", fmt.Errorf("the query bad: %w", err)
	}
	if !known {
		return fmt.Sprintf("nothing is named %s, as the query bad says", name), nil
	}
	return "", nil
}

// probeCustom tells whether the queries of the custom metrics name something.
func (p *Prometheus) probeCustom(ctx context.Context, ask Ask) error {
	for _, m := range ask.Custom {
		for _, q := range m.queries() {
			s, faults := readQuery(q.text)
			if len(faults) > 0 {
				return fmt.Errorf("the query %s of the metric %s: %w", q.key, m.Name, faults[0])
			}
			if why := ask.nameless(m.Name+"."+q.key, s, ask.arms()[0]); why != "" {
				return fault.Errorf(fault.Unavailable, "%s", why)
			}
			if err := p.probe(ctx, m.Name+"."+q.key, s.fill(ask.values(ask.arms()[0])), ask.Now); err != nil {
				return err
			}
		}
	}
	return nil
}
