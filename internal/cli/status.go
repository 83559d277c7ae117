package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func statusCommand(c *command) *cobra.Command {
	var watch bool
	var service string
	var limit int
	cmd := &cobra.Command{
		Use:   "status [RELEASE]",
		Short: "Show a release, or the newest ones",
		Long:  "Show a release, or the newest ones. A release is named by its ID, by SERVICE@VERSION, or by SERVICE for its newest one.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			if len(args) == 0 && !watch {
				return c.list(cmd.Context(), api, client.Filter{Service: service, Limit: limit})
			}
			ref := service
			if len(args) > 0 {
				ref = args[0]
			}
			if ref == "" {
				if ref, err = newest(cmd.Context(), api); err != nil {
					return err
				}
			}
			if watch {
				return c.follow(cmd.Context(), api, ref)
			}
			r, err := api.Release(cmd.Context(), ref)
			if err != nil {
				return err
			}
			return c.show(r, func(w io.Writer) { printRelease(w, r) })
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "stay until it has ended")
	cmd.Flags().StringVar(&service, "service", "", "only this service's")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many to list")
	return cmd
}

func (c *command) list(ctx context.Context, api *client.Client, f client.Filter) error {
	page, err := api.Releases(ctx, f)
	if err != nil {
		return err
	}
	return c.show(page, func(w io.Writer) {
		if len(page.Items) == 0 {
			fmt.Fprintln(w, "There is no release yet. Create one with `fairway ship`.")
			return
		}
		var rows [][]string
		for _, r := range page.Items {
			rows = append(rows, []string{r.ID, servicesOf(r), r.Version + drillMark(r), state(w, r.State), r.Environment, r.Author, ago(r.CreatedAt)})
		}
		printTable(w, []string{"RELEASE", "SERVICE", "VERSION", "STATE", "IN", "BY", "CREATED"}, rows)
	})
}

// drillMark follows the version of a drill.
func drillMark(r client.Release) string {
	if r.DrillOf == "" {
		return ""
	}
	return " (drill)"
}

func printRelease(w io.Writer, r client.ReleaseDetail) {
	fmt.Fprintf(w, "%s%s  %s\n%s\n", titleOf(r.Release), drillMark(r.Release), state(w, r.State), r.Headline)
	if r.Next != "" {
		when := ""
		if !r.NextAt.IsZero() {
			when = " (" + r.NextAt.Local().Format(time.TimeOnly) + ")"
		}
		fmt.Fprintf(w, "Next: %s%s\n", strings.TrimPrefix(r.Next, "Then "), when)
	}
	if r.Asks != "" {
		fmt.Fprintf(w, "A person is asked: %s\n", r.Asks)
		if ways := answers(r); len(ways) > 0 {
			fmt.Fprintf(w, "  %s.\n", strings.Join(ways, ", "))
		}
	}
	fmt.Fprintln(w)
	var rows [][]string
	for i, e := range r.Run.Environments {
		if p := &r.Plan.Environments[i]; p.Wave() > 0 && p.Place() != p.In() {
			continue // see below
		}
		rows = append(rows, []string{e.Name, string(e.State), "", e.Reason})
		for j, s := range e.Stages {
			rows = append(rows, []string{"  " + r.Plan.Environments[i].Stages[j].Name, string(s.State), took(s), firstLine(s.Reason)})
		}
	}
	if len(rows) > 0 {
		printTable(w, []string{"STAGE", "STATE", "TOOK", "WHY"}, rows)
	}
	printRegions(w, r)
	for i, e := range r.Run.Environments {
		if d, ok := r.Drift[e.Name]; ok {
			p := &r.Plan.Environments[i]
			printDrift(w, r.Plan.ServiceOf(p), p.Place(), d)
		}
	}
	fmt.Fprintf(w, "\nrelease %s, artifact %s, by %s, %s\n", r.ID, short(r.Digest), r.Author, ago(r.CreatedAt))
	for _, c := range r.With {
		fmt.Fprintf(w, "with %s %s, artifact %s\n", c.Service, c.Version, short(c.Digest))
	}
	if len(r.Actions) > 0 {
		fmt.Fprintf(w, "You may: %s\n", strings.Join(r.Actions, ", "))
	}
}

// printDrift tells where what runs is not as it should be, if it is not.
func printDrift(w io.Writer, service, environment string, d client.Drift) {
	tell := func(who string, fields []string, since time.Time) {
		if len(fields) > 0 {
			fmt.Fprintf(w, "\nWhat runs in %s is not as the %s, first seen %s: %s\n", environment, who, ago(since), strings.Join(fields, ", "))
		}
	}
	git := d.Git
	if git == nil {
		git = &client.GitDrift{}
	}
	if slices.Equal(d.Fields, git.Fields) {
		tell("release and the repository say", d.Fields, d.Since)
	} else {
		tell("release says", d.Fields, d.Since)
		tell("repository says", git.Fields, git.Since)
	}
	if git.Unknown != "" {
		fmt.Fprintf(w, "\nWhat the repository says of %s could not be compared: %s\n", environment, git.Unknown)
	}
	if len(d.Fields)+len(git.Fields) > 0 {
		fmt.Fprintf(w, "  `fairway drift %s -e %s` shows how.\n", service, environment)
	}
}

// answers are the commands by which the caller may answer what is asked.
func answers(r client.ReleaseDetail) []string {
	var ways []string
	add := func(verb, does string, actions ...string) {
		if slices.ContainsFunc(actions, func(a string) bool { return slices.Contains(r.Actions, a) }) {
			ways = append(ways, fmt.Sprintf("`fairway %s %s` %s", verb, r.ID, does))
		}
	}
	if r.State == pipeline.RunRollingBack {
		add("rollback", "tries again", "rollback")
		return ways
	}
	add("approve", "says yes", "approve", "decide")
	add("reject", "says no", "reject")
	return ways
}

func took(s pipeline.StageRun) string {
	switch {
	case s.StartedAt.IsZero():
		return ""
	case s.EndedAt.IsZero():
		return time.Since(s.StartedAt).Round(time.Second).String()
	}
	return s.EndedAt.Sub(s.StartedAt).Round(100 * time.Millisecond).String()
}

func firstLine(s string) string {
	line, more, cut := strings.Cut(s, "\n")
	if cut && strings.TrimSpace(more) != "" {
		line += " …"
	}
	return line
}
