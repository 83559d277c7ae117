package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// trial is a comparison under way, of a canary or of a watch: the judge, where
// its samples stand, and what people were last told.
type trial struct {
	Judge  *judge.Judge    `json:"judge,omitempty"`
	Sizing *judge.Sizing   `json:"sizing,omitempty"`
	Cursor json.RawMessage `json:"cursor,omitempty"`
	Began  time.Time       `json:"began,omitzero"`
	// Looked is when the source was asked last.
	Looked time.Time `json:"looked,omitzero"`
	// Told is the reason of the verdict that was told last.
	Told judge.Reason `json:"told,omitempty"`
	Asks string       `json:"asks,omitempty"`
	// Dark is since when the new revision has had traffic and no ready instance, and SeenDark
	// when that was last seen.
	Dark     time.Time `json:"dark,omitzero"`
	SeenDark time.Time `json:"seenDark,omitzero"`
	// queries are what the source was asked at this tick's look.
	queries []metric.Query
}

// warmUp is how long an instance's latency is not judged, if the plan does not say.
const warmUp = 90 * time.Second

// sampleInterval is how often the source is looked at.
func sampleInterval(m pipeline.Metrics) time.Duration {
	if m.Prometheus != nil {
		return max(m.Prometheus.Interval.Std(), time.Second)
	}
	return time.Second
}

// calibrationSeed makes the splits of the history repeatable.
const calibrationSeed = 1

// calibrate asks the source for the stable arm's past, where it has one.
func calibrate(ctx context.Context, src metric.Source, ask metric.Ask, s judge.Settings, rate float64) judge.Calibration {
	var history judge.History
	if h, ok := src.(metric.Historian); ok {
		// Without a past the judge uses cautious priors; a source in trouble is no reason to wait.
		if past, err := h.History(ctx, ask, historySpan); err == nil {
			history = past
		}
	}
	return judge.Calibrate(history, s, rate, calibrationSeed)
}

const historySpan = 2 * time.Hour

// look takes one sample and folds it. It returns the point to keep, or none at the
// first look, which only tells the source where to begin. A source that could not
// even be asked the first time is folded: people must read why nothing is judged.
func (t *trial) look(ctx context.Context, src metric.Source, ask metric.Ask) (judge.Verdict, []Point, error) {
	first := len(t.Cursor) == 0
	t.Looked = ask.Now
	if a, ok := src.(metric.Asker); ok {
		t.queries = a.Queries(ask)
	}
	sample, cursor, err := src.Sample(ctx, ask, t.Cursor)
	switch {
	case fault.CodeOf(err) == fault.Invalid:
		// A source that is wrongly configured is no evidence, and no reason to go back.
		sample = judge.Sample{At: ask.Now, Weight: ask.Weight, Missing: fault.MessageOf(err)}
		first = false
	case err != nil:
		return judge.Verdict{}, nil, err
	default:
		t.Cursor = cursor
	}
	if first && len(cursor) > 0 {
		return t.Judge.Verdict(ask.Now), nil, nil
	}
	t.Judge.Observe(sample)
	if t.Sizing != nil {
		t.Sizing.Observe(sample)
	}
	return t.Judge.Verdict(ask.Now), []Point{{Sample: sample, Evidence: t.Judge.Evidence(), Looked: ask.Now}}, nil
}

// open begins the comparison. The line keeps what it begins with, so that it can be
// replayed from the record.
func (t *trial) open(kind string, environment string, o judge.Opening) Line {
	t.Judge = o.Judge()
	text := fmt.Sprintf("The judge compares both versions in %s, and begins with cautious assumptions about its noise.", environment)
	if o.Calibration.Minutes > 0 {
		text = fmt.Sprintf("The judge compares both versions in %s, and knows it from %d minutes of the past.", environment, o.Calibration.Minutes)
	}
	return Line{Kind: kind, Text: text, Data: plain(map[string]any{"opening": o})}
}

// tell returns a line when the verdict's reason is another than the one told last.
func (t *trial) tell(kind string, v judge.Verdict) []Line {
	if v.Reason == t.Told {
		return nil
	}
	t.Told = v.Reason
	return []Line{t.line(kind, v)}
}

// line is a verdict with all its numbers, and the queries that it rests on, for the ledger.
func (t *trial) line(kind string, v judge.Verdict) Line {
	all := map[string]any{"verdict": v, "paragraph": v.Paragraph()}
	if len(t.queries) > 0 {
		all["queries"] = t.queries
	}
	data, err := json.Marshal(all)
	if err != nil {
		data = nil // a number that JSON cannot write; the sentence is still told
	}
	return Line{Kind: kind, Text: v.Sentence(), Data: data}
}
