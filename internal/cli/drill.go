package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func drillCommand(c *command) *cobra.Command {
	var n client.NewDrill
	var harm, ref, key string
	var yes bool
	cmd := &cobra.Command{
		Use:   "drill SERVICE --environment E",
		Short: "See whether harm would be noticed, and how soon",
		Long: `Ship what is running once more, through the environment's ordinary canary, with a
fault in the router that only the canary's requests meet (or a bad artifact in its
place), and tell whether and how soon that was noticed, and how many requests of users
it cost. It is taken back whatever is found, and never promoted.

Users are harmed, as few as the canary's exposure budget allows: it takes the role sre,
a reason, and --yes. The fault ends with the drill, when the router restarts, and at the
latest after --for.

Faults: errors=5pp (so many more answers are errors), latency=+100% (twice as slow),
latency=+200ms, outage (every answer is an error). The exit code is 0 if it was noticed
and everything is as it was, 14 if it was not noticed.`,
		Example: "  fairway drill shop -e staging --fault errors=5pp --reason 'is the canary awake?' --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := readHarm(harm, &n); err != nil {
				return err
			}
			if ref != "" {
				a, err := readArtifact(ref)
				if err != nil {
					return err
				}
				n.Artifact, n.Digest = a.ref, a.digest
			}
			if harm == "" && ref == "" {
				n.Errors = 0.05
			}
			if !yes {
				return fault.Errorf(fault.Invalid, "a drill in %s harms requests of users", n.Environment).WithHint("add --yes if that is what you want")
			}
			api, err := c.client()
			if err != nil {
				return err
			}
			if key == "" {
				key = ulid.Make().String()
			}
			return c.drill(cmd.Context(), api, args[0], n, key)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&n.Environment, "environment", "e", "", "where")
	flags.StringVar(&harm, "fault", "", "what the canary's requests meet (default errors=5pp)")
	flags.StringVar(&ref, "artifact", "", "a bad artifact to ship instead, by path or URL")
	flags.StringVarP(&n.Reason, "reason", "m", "", "why")
	flags.StringVar(&n.For, "for", "1h", "how long it may last at most")
	flags.BoolVar(&yes, "yes", false, "requests of users may be harmed")
	flags.StringVar(&key, "idempotency-key", "", "the same key again begins no second drill")
	_ = cmd.MarkFlagRequired("environment")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

// readHarm reads a fault as people write it.
func readHarm(text string, n *client.NewDrill) error {
	wrong := fault.Errorf(fault.Invalid, "%q is no fault", text).WithHint("use errors=5pp, latency=+100%%, latency=+200ms or outage")
	what, much, _ := strings.Cut(text, "=")
	if text == "" {
		return nil
	}
	if text == "outage" {
		n.Errors = 1
		return nil
	}
	number := func(unit string) (float64, bool) {
		digits, ok := strings.CutSuffix(strings.TrimPrefix(much, "+"), unit)
		x, err := strconv.ParseFloat(digits, 64)
		return x / 100, ok && err == nil && x > 0 && x <= 10_000
	}
	switch what {
	case "errors":
		points, ok := number("pp")
		if n.Errors = points; !ok || points > 1 {
			return wrong
		}
		return nil
	case "latency":
		if share, ok := number("%"); ok {
			n.Slower = share
			return nil
		}
		n.Delay = strings.TrimPrefix(much, "+")
		if d, err := pipeline.ParseDuration(n.Delay); err != nil || d == 0 {
			return wrong
		}
		return nil
	}
	return wrong
}

// drillReport is what a drill has shown.
type drillReport struct {
	Release string `json:"release"`
	// Held tells whether the drill came to an end of its own at all.
	Held bool `json:"held"`
	drilled
	// Back tells whether everything is as it was: the same release is at home, and
	// nothing of the drill is left.
	Back bool   `json:"back"`
	Why  string `json:"why"`
}

// drilled is the ledger's line about the end of a drill.
type drilled struct {
	Noticed  bool    `json:"noticed"`
	Seconds  float64 `json:"seconds"`
	Requests int64   `json:"requests"`
	Errors   int64   `json:"errors"`
	Extra    float64 `json:"extra"`
}

// drill begins the drill, stays until it has ended, and reports.
func (c *command) drill(ctx context.Context, api *client.Client, service string, n client.NewDrill, key string) error {
	made, err := api.Drill(ctx, service, n, key)
	if err != nil {
		return err
	}
	quiet := *c
	quiet.out = c.errOut // what happens meanwhile is not the report
	quiet.format = "table"
	err = quiet.follow(ctx, api, made.ID)
	var ended *exitError
	if err != nil && !errors.As(err, &ended) {
		return err
	}
	r, err := reportOf(ctx, api, made.ID, n.Environment)
	if err != nil {
		return err
	}
	if err := c.show(r, func(w io.Writer) { printDrill(w, r) }); err != nil {
		return err
	}
	switch {
	case !r.Held || !r.Back:
		return &exitError{ExitFailed}
	case !r.Noticed:
		return &exitError{ExitUnnoticed}
	}
	return nil
}

func reportOf(ctx context.Context, api *client.Client, id, environment string) (drillReport, error) {
	r := drillReport{Release: id}
	detail, err := api.Release(ctx, id)
	if err != nil {
		return r, err
	}
	undone := true
	for _, e := range detail.Run.Environments {
		r.Why = e.Reason
		for _, s := range e.Stages {
			undone = undone && (s.State == pipeline.StageUndone || s.StartedAt.IsZero())
		}
	}
	service, err := api.Service(ctx, detail.Service)
	if err != nil {
		return r, err
	}
	whole, _, _ := strings.Cut(environment, "/") // it may be a region
	for _, e := range service.Environments {
		if e.Name == whole {
			r.Back = undone && detail.State.Final() && detail.Plan.Drill != nil && e.Home == detail.Plan.Drill.Of
		}
	}
	for after := int64(0); ; {
		page, err := api.Events(ctx, id, after, pageSize)
		if err != nil {
			return r, err
		}
		for _, e := range page.Items {
			after = e.Seq
			if strings.HasPrefix(e.Kind, "drill.") && json.Unmarshal(e.Data, &r.drilled) == nil {
				r.Held = true
			}
		}
		if page.Next == "" {
			return r, nil
		}
	}
}

func printDrill(w io.Writer, r drillReport) {
	switch {
	case !r.Held:
		fmt.Fprintf(w, "The drill came to no end of its own: %s\n", r.Why)
	case r.Noticed:
		fmt.Fprintf(w, "Noticed after %.1f s.\n", r.Seconds)
	default:
		fmt.Fprintf(w, "Not noticed within %.1f s.\n", r.Seconds)
	}
	if r.Held {
		fmt.Fprintf(w, "It had %d requests of users; %d of them failed, and about %.0f were worse than usual.\n", r.Requests, r.Errors, r.Extra)
	}
	if r.Back {
		fmt.Fprintf(w, "Everything is as it was.\n")
	} else {
		fmt.Fprintf(w, "Not everything is as it was: look at `fairway status %s`.\n", r.Release)
	}
	fmt.Fprintf(w, "`fairway replay %s` shows the course of the evidence.\n", r.Release)
}
