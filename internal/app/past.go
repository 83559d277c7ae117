package app

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/cli"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/replay"
)

// historySpan is how much of the time before a replay tells its noise.
const historySpan = 2 * time.Hour

// Past reads what two arms did in a Prometheus's past, by the source that a canary
// uses: see cli.Past.
func Past(ctx context.Context, q cli.PastQuery) (replay.Stretch, error) {
	for word, value := range map[string]string{"$service": q.Service, "$environment": q.Environment, "$region": ""} {
		if value == "" && strings.Contains(q.Requests+q.Errors+q.Histogram, word) {
			return replay.Stretch{}, fault.Errorf(fault.Invalid, "a selector says %s, and nothing says what that is", word).
				WithHint("write its value into the selector")
		}
	}
	config, err := json.Marshal(metricConfig(q))
	if err != nil {
		return replay.Stretch{}, fault.Errorf(fault.Internal, "encode the metric source: %w", err)
	}
	source, err := metric.Open("prometheus", config, metric.Deps{})
	if err != nil {
		return replay.Stretch{}, err
	}
	ask := metric.Ask{
		Service: orDash(q.Service), Environment: orDash(q.Environment),
		Stable: q.Stable, Canary: q.Canary, Weight: q.Weight, WarmUp: q.WarmUp, Now: q.From,
	}
	s := replay.Stretch{Weight: q.Weight}
	if h, ok := source.(metric.Historian); ok {
		if s.History, err = h.History(ctx, ask, historySpan); err != nil {
			return s, err
		}
	}
	s.Looks, err = replay.Walk(ctx, func(ctx context.Context, now time.Time, cursor []byte) (judge.Sample, []byte, error) {
		ask.Now = now
		return source.Sample(ctx, ask, cursor)
	}, q.From, q.To, q.Interval)
	return s, err
}

func metricConfig(q cli.PastQuery) map[string]string {
	c := map[string]string{"url": q.URL, "requests": q.Requests, "errors": q.Errors, "interval": q.Interval.String()}
	if q.Histogram != "" {
		c["histogram"] = q.Histogram
	}
	if q.Instance != "" {
		c["instance"] = q.Instance
	}
	return c
}

// orDash stands for a name that no selector asks for.
func orDash(name string) string {
	if name == "" {
		return "-"
	}
	return name
}
