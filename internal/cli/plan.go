package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/forecast"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// planCommand makes the verb; find tries the queries of its metrics.
func planCommand(find Find) func(*command) *cobra.Command {
	return func(c *command) *cobra.Command { return c.plan(find) }
}

func (c *command) plan(find Find) *cobra.Command {
	var file, ref, version string
	var keyFiles, with []string
	var offline bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what a release would go through, and what its canary would see",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			def, text, err := readDefinition(file)
			if err != nil {
				return err
			}
			files, err := readFiles(def, file)
			if err != nil {
				return err
			}
			a := nothing
			if ref != "" {
				if a, err = artifactOf(def, ref); err != nil {
					return err
				}
			}
			keys, err := readSealingKeys(keyFiles)
			if err != nil {
				return err
			}
			manifests, err := readManifests(cmd.Context(), def, file, a, keys)
			if err != nil {
				return err
			}
			manifests.tell(cmd.ErrOrStderr())
			ask := pipeline.Request{
				Version: version, Artifact: a.ref, Digest: a.digest, Files: files, Manifests: manifests.objects, Sealed: manifests.sealed,
			}
			others, err := readCompanions(cmd.Context(), with, def, file, keys)
			if err != nil {
				return err
			}
			for _, one := range others {
				component, err := one.compiled()
				if err != nil {
					return err
				}
				ask.With = append(ask.With, component)
			}
			plan, err := pipeline.Compile(def, ask)
			if err != nil {
				return err
			}
			outlook := forecast.Of(plan)
			trial := find
			if offline {
				trial = nil
			}
			metrics, err := countedOf(cmd.Context(), plan, trial)
			if err != nil {
				return err
			}
			var previews []preview
			if !offline {
				n := client.Preview{Definition: string(text), Version: version, Files: files, Manifests: manifests.objects, Sealed: manifests.sealed}
				if ref != "" {
					n.Artifact, n.Digest = a.ref, a.digest
				}
				previews = c.previews(cmd.Context(), plan, n)
			}
			all := map[string]any{"plan": plan, "hash": plan.Hash(), "outlook": outlook, "metrics": metrics, "previews": previews}
			return c.show(all, func(w io.Writer) {
				printPlan(w, plan, outlook, metrics)
				printPreviews(w, previews)
			})
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", defaultFile, "the definition")
	cmd.Flags().StringVar(&ref, "artifact", "", "the artifact that would be shipped")
	cmd.Flags().StringVar(&version, "version", "", "what people call it")
	addWith(cmd, &with)
	addSealingKeys(cmd, &keyFiles)
	cmd.Flags().BoolVar(&offline, "offline", false, "ask nobody: try no queries of metrics, and leave out what it would change in the clusters, which their workers tell")
	return cmd
}

func printPlan(w io.Writer, p *pipeline.Plan, o forecast.Outlook, metrics []counted) {
	for i, e := range p.Environments {
		if shownBefore(p, i) {
			continue // its first region stands for all
		}
		printOrder(w, p, i)
		fmt.Fprintf(w, "%s  %s on %s%s\n", e.Name, p.ServiceOf(&e), e.Platform, needs(e))
		var rows [][]string
		for _, s := range e.Stages {
			rows = append(rows, []string{"  " + s.Name, describe(s), forTime(s.TimeLimit.Std()), s.Undo})
		}
		printPlace(w, e)
		printTable(w, []string{"  STAGE", "DOES", "TIME LIMIT", "A ROLLBACK"}, rows)
		fmt.Fprintln(w)
	}
	if len(o.Levels) > 0 {
		fmt.Fprintf(w, "What is seen at %.4g requests/s (found with about 80 %% probability)\n", o.Rate)
		var rows [][]string
		for _, l := range o.Levels {
			where := "  " + l.Environment + "/" + l.Stage
			if l.Rate != o.Rate {
				where += fmt.Sprintf(" (%.4g/s)", l.Rate)
			}
			rows = append(rows, []string{
				where, percent(l.Weight), forTime(l.For),
				rise(l.Sight.Errors, l.Sight.ErrorsAfter), slowdown(l.Sight.Latency, l.Sight.LatencyAfter),
			})
		}
		printTable(w, []string{"  STAGE", "WEIGHT", "FOR", "ERRORS FROM", "LATENCY FROM"}, rows)
		fmt.Fprintln(w)
	}
	for _, c := range metrics {
		c.print(w)
	}
	for _, warning := range o.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	if len(o.Warnings) > 0 {
		fmt.Fprintln(w)
	}
}

func needs(e pipeline.Environment) string {
	var parts []string
	for _, n := range e.Needs {
		if n.For > 0 {
			parts = append(parts, fmt.Sprintf("%s for %s", n.Environment, n.For))
		} else {
			parts = append(parts, n.Environment)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ", after " + strings.Join(parts, " and ")
}

// describe says in a few words what a stage does.
func describe(s pipeline.Stage) string {
	switch s.Kind {
	case pipeline.KindGate:
		return "waits until " + s.Gate.When
	case pipeline.KindApproval:
		return fmt.Sprintf("waits for %d approval(s) by %s", s.Approval.Count, strings.Join(s.Approval.Roles, " or "))
	case pipeline.KindDeploy:
		return "places it and gives it all traffic"
	case pipeline.KindCheck:
		return "checks the new revision"
	case pipeline.KindJob:
		return "runs " + strings.Join(s.Job.Command, " ")
	case pipeline.KindCanary:
		text := "moves traffic level by level under the judge" + judged(s.Canary.Metrics)
		if a := s.Canary.Audience; a != nil {
			text = fmt.Sprintf("shows it for %s to requests with %s, then %s", a.For, a, text)
		}
		return text
	case pipeline.KindWatch:
		text := fmt.Sprintf("judges on for %s, %s stays on the old", s.Watch.For, percent(s.Watch.Holdback))
		if s.Watch.MinimumAge > 0 {
			text += fmt.Sprintf(", not over before it is %s old", s.Watch.MinimumAge)
		}
		return text + judged(s.Watch.Metrics)
	case pipeline.KindPromote:
		return fmt.Sprintf("makes it the home (%s)", s.Promote.Strategy)
	case pipeline.KindNotify:
		return "tells " + s.Notify.Webhook
	}
	return string(s.Kind)
}

// judged names the metrics of the team's own, for the end of a sentence.
func judged(metrics []pipeline.CustomMetric) string {
	var names []string
	for _, m := range metrics {
		names = append(names, m.Name)
	}
	if len(names) == 0 {
		return ""
	}
	return ", also by " + strings.Join(names, ", ")
}

func forTime(d time.Duration) string {
	if day := 24 * time.Hour; d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return pipeline.Duration(d).String()
}

func rise(r float64, after time.Duration) string {
	if r == 0 {
		return "nothing is seen"
	}
	return fmt.Sprintf("+%s pp in %s", figures(100*r), after.Round(time.Second))
}

func slowdown(r float64, after time.Duration) string {
	if r == 0 {
		return "nothing is seen"
	}
	return fmt.Sprintf("+%s %% in %s", figures(100*r), after.Round(time.Second))
}
