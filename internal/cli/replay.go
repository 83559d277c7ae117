package cli

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/replay"
)

// Past reads what two arms did in the past of a metric store. Package app gives it,
// because only app knows the stores.
type Past func(ctx context.Context, q PastQuery) (replay.Stretch, error)

// PastQuery says what to read.
type PastQuery struct {
	URL, Requests, Errors, Histogram, Instance string
	Service, Environment                       string
	// Stable and Canary are what tells the arms apart: they replace $revision.
	Stable, Canary   string
	From, To         time.Time
	Interval, WarmUp time.Duration
	// Weight is the canary's share of the traffic; 0 takes it from the requests.
	Weight float64
}

// replayed is one comparison with its courses: the first is the one as it was.
type replayed struct {
	Environment string `json:"environment,omitempty"`
	Stage       string `json:"stage,omitempty"`
	// Ended and Why are how the stage really ended, where it was a release's.
	Ended   string          `json:"ended,omitempty"`
	Why     string          `json:"why,omitempty"`
	Looks   int             `json:"looks"`
	Opening judge.Opening   `json:"opening"`
	Agrees  *bool           `json:"agrees,omitempty"`
	Courses []replay.Course `json:"courses"`
}

type replayFlags struct {
	sets     []string
	from, to string
	past     PastQuery
}

// replayCommand makes the verb; past reads a metric store.
func replayCommand(past Past) func(*command) *cobra.Command {
	return func(c *command) *cobra.Command { return c.replay(past) }
}

func (c *command) replay(past Past) *cobra.Command {
	f := &replayFlags{}
	cmd := &cobra.Command{
		Use:   "replay RELEASE | --prometheus URL",
		Short: "Show when the judge decided, and what other settings would have done",
		Long: `Run the judge again over what was recorded of a release, and show when it decided,
the course of the evidence, and what other settings would have done beside it. With
the settings of then it comes to the same verdicts at the same samples.

With --prometheus no server is asked, and no release is needed: two arms are compared
over a stretch of a Prometheus's past, for instance a canary of another tool, or an
incident. Selectors are written as in fairway.yaml, with $revision where the arms
differ; --canary and --stable are what stands there. The judge knows the service from
the two hours before --from.

Each --set is one variant, of changes with commas between them; without one, half and
twice the margins are shown. It can change: ` + strings.Join(replay.Keys(), ", ") + `.

Other settings would also have given the canary other weights. A replay judges the
traffic as it was.`,
		Example: `  fairway replay shop@v3
  fairway replay shop --set margin.errors=1pp --set margin.errors=2pp,block=30s
  fairway replay --prometheus http://prometheus:9090 --from -3h --to -2h \
    --requests 'http_requests_total{version="$revision"}' \
    --errors 'http_requests_total{version="$revision",code=~"5.."}' \
    --stable v1 --canary v2`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.past.URL != "" {
				if len(args) > 0 {
					return fault.Errorf(fault.Invalid, "a release has its own record; --prometheus is for what has none")
				}
				return c.replayPast(cmd.Context(), past, f)
			}
			if len(args) == 0 {
				return fault.Errorf(fault.Invalid, "it is not said which release").
					WithHint("name one, for instance `fairway replay SERVICE`, or a --prometheus")
			}
			return c.replayRelease(cmd.Context(), args[0], f)
		},
	}
	f.add(cmd)
	return cmd
}

func (f *replayFlags) add(cmd *cobra.Command) {
	flags, q := cmd.Flags(), &f.past
	flags.StringArrayVar(&f.sets, "set", nil, "a variant to show beside it, for instance margin.errors=1pp,block=30s")
	flags.StringVarP(&q.Environment, "environment", "e", "", "only this environment; with --prometheus what $environment is")
	flags.StringVar(&q.URL, "prometheus", "", "replay the past of this Prometheus instead of a release")
	flags.StringVar(&q.Requests, "requests", "", "selector of the counters of requests")
	flags.StringVar(&q.Errors, "errors", "", "selector of those that failed")
	flags.StringVar(&q.Histogram, "histogram", "", "selector of a histogram of seconds, classic or native")
	flags.StringVar(&q.Instance, "instance", "", "label that tells the instances of an arm apart")
	flags.StringVar(&q.Service, "service", "", "what $service is")
	flags.StringVar(&q.Stable, "stable", "", "what $revision is for the stable arm")
	flags.StringVar(&q.Canary, "canary", "", "what $revision is for the canary")
	flags.StringVar(&f.from, "from", "", "where to begin: an instant (RFC 3339), or how long ago, as -2h")
	flags.StringVar(&f.to, "to", "-0s", "where to end")
	flags.DurationVar(&q.Interval, "interval", 15*time.Second, "the scrape interval")
	flags.DurationVar(&q.WarmUp, "warm-up", 90*time.Second, "how long the latency of a new instance is not judged")
	flags.Float64Var(&q.Weight, "weight", 0, "the canary's share of the traffic, 0 to 1 (default: as the requests show)")
	cmd.MarkFlagsRequiredTogether("prometheus", "requests", "errors", "stable", "canary", "from")
}

// replayPast replays two arms in the past of a Prometheus.
func (c *command) replayPast(ctx context.Context, past Past, f *replayFlags) error {
	var err error
	now := time.Now()
	if f.past.From, err = backThen(f.from, now); err != nil {
		return err
	}
	if f.past.To, err = backThen(f.to, now); err != nil {
		return err
	}
	if f.past.Weight < 0 || f.past.Weight >= 1 {
		return fault.Errorf(fault.Invalid, "the weight is %v, but must be between 0 and 1", f.past.Weight)
	}
	stretch, err := past(ctx, f.past)
	if err != nil {
		return err
	}
	set := judge.DefaultSettings()
	set.FalseAlarm = canaryShare(set.FalseAlarm)
	record, err := stretch.Record(set)
	if err != nil {
		return err
	}
	r, err := replayOf(record, f.sets)
	if err != nil {
		return err
	}
	return c.show([]replayed{thin(r)}, func(w io.Writer) { printReplay(w, r) })
}

// canaryShare is what a canary has of a release's false alarms where one environment
// judges, by a canary and a watch.
func canaryShare(budget float64) float64 {
	e := pipeline.Environment{Budget: budget, Stages: []pipeline.Stage{{Kind: pipeline.KindCanary}, {Kind: pipeline.KindWatch}}}
	return e.FalseAlarm(pipeline.KindCanary)
}

// backThen reads an instant, or how long ago it was.
func backThen(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d <= 0 {
		return now.Add(d), nil
	}
	return time.Time{}, fault.Errorf(fault.Invalid, "%q is no instant", text).
		WithHint("write it as 2026-03-01T12:00:00Z, or how long ago it was, as -2h")
}

// replayRelease replays each comparison of a release.
func (c *command) replayRelease(ctx context.Context, ref string, f *replayFlags) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	release, err := api.Release(ctx, ref)
	if err != nil {
		return err
	}
	comparisons, err := comparisonsOf(ctx, api, release, f.past.Environment)
	if err != nil {
		return err
	}
	all, thinned := []replayed{}, []replayed{}
	for _, k := range comparisons {
		r, err := replayOf(k.record, f.sets)
		if err != nil {
			return err
		}
		r.Environment, r.Stage, r.Ended, r.Why = k.environment, k.stage, k.ended, k.why
		agrees := r.Courses[0].Differs == ""
		r.Agrees = &agrees
		all, thinned = append(all, r), append(thinned, thin(r))
	}
	return c.show(thinned, func(w io.Writer) {
		for _, r := range all {
			printReplay(w, r)
		}
	})
}

// replayOf judges the record as it was, and by each of the sets.
func replayOf(record replay.Record, sets []string) (replayed, error) {
	then := record.Opening.Settings
	variants := []replay.Variant{replay.AsItWas(then)}
	for _, text := range sets {
		v, err := replay.Parse(text, then)
		if err != nil {
			return replayed{}, err
		}
		variants = append(variants, v)
	}
	if len(sets) == 0 {
		variants = append(variants, replay.Beside(then)...)
	}
	r := replayed{Looks: len(record.Looks), Opening: record.Opening}
	for _, v := range variants {
		r.Courses = append(r.Courses, record.Run(v))
	}
	return r, nil
}

// chartSteps is how many steps of a course a script gets.
const chartSteps = 240

func thin(r replayed) replayed {
	courses := make([]replay.Course, len(r.Courses))
	for i, c := range r.Courses {
		c.Steps = replay.Thin(c.Steps, chartSteps)
		courses[i] = c
	}
	r.Courses = courses
	return r
}
