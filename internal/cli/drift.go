package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func driftCommand(c *command) *cobra.Command {
	var environment string
	cmd := &cobra.Command{
		Use:   "drift SERVICE",
		Short: "Show where what runs is not as the release at home says",
		Long: `Show where what runs is not as the release at home says and, where its plan names a
repository that holds the truth, not as that says: field by field, as a worker of the
environment sees it now. What the cluster fills in by itself, and what scales by
itself, does not count; values of Secrets are never shown. It ends with exit code 15
where something has drifted.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			environments := []string{environment}
			if environment == "" {
				if environments, err = comparable(cmd.Context(), api, args[0]); err != nil {
					return err
				}
			}
			all, err := drifts(cmd.Context(), api, args[0], environments)
			if err != nil {
				return err
			}
			if err := c.show(all, func(w io.Writer) { printDrifts(w, args[0], all) }); err != nil {
				return err
			}
			return driftExit(all)
		},
	}
	cmd.Flags().StringVarP(&environment, "environment", "e", "", "where (default: wherever a release is at home on Kubernetes)")
	return cmd
}

// comparable are the environments in which something of the service is at home that can be
// compared with its plan.
func comparable(ctx context.Context, api *client.Client, service string) ([]string, error) {
	s, err := api.Service(ctx, service)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range s.Environments {
		if e.Home == "" {
			continue
		}
		home, err := api.Release(ctx, e.Home)
		if err != nil {
			return nil, err
		}
		for _, place := range home.Plan.Places(e.Name) {
			if place.Platform == pipeline.PlatformKubernetes && home.Plan.ServiceOf(place) == service {
				names = append(names, place.Place())
			}
		}
	}
	if len(names) == 0 {
		return nil, fault.Errorf(fault.Conflict, "no release of %s is at home on Kubernetes, so there is nothing to compare", service).
			WithHint("`fairway status %s` shows its newest release", service)
	}
	return names, nil
}

// found is what a worker has found in an environment, or why it is not known.
type found struct {
	Environment string `json:"environment"`
	*client.Comparison
	Unknown string `json:"unknown,omitempty"`
	// Git is how what runs differs from what the repository says, where the plan names one.
	Git *found `json:"git,omitempty"`
	err error
}

// drifts asks for each environment. Where only one is asked about, why it is not known is
// the error.
func drifts(ctx context.Context, api *client.Client, service string, environments []string) ([]found, error) {
	var all []found
	for _, e := range environments {
		f := look(ctx, api, client.NewInquiry{About: inquiry.Drift, Service: service, Environment: e})
		if f.err != nil && len(environments) == 1 {
			return nil, f.err
		}
		if f.Comparison != nil && f.Truth {
			git := look(ctx, api, client.NewInquiry{About: inquiry.Truth, Service: service, Environment: e})
			f.Git = &git
		}
		all = append(all, f)
	}
	return all, nil
}

func look(ctx context.Context, api *client.Client, n client.NewInquiry) found {
	f := found{Environment: n.Environment}
	answer, err := api.Inquire(ctx, n)
	if err != nil {
		f.Unknown, f.err = err.Error(), err
		return f
	}
	f.Comparison = &answer
	return f
}

func printDrifts(w io.Writer, service string, all []found) {
	for i, f := range all {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if f.Comparison == nil {
			fmt.Fprintf(w, "%s: not known: %s\n", f.Environment, f.Unknown)
			continue
		}
		f.print(w, service+" "+f.Version)
		switch {
		case f.Git != nil && f.Git.Comparison == nil:
			fmt.Fprintf(w, "%s: Git was not looked at: %s\n", f.Environment, f.Git.Unknown)
		case f.Git != nil:
			f.Git.print(w, "Git")
		}
	}
}

func (f found) print(w io.Writer, desired string) {
	if len(f.Differences) == 0 {
		fmt.Fprintf(w, "%s: what runs is as %s says\n", f.Environment, desired)
	} else {
		fmt.Fprintf(w, "%s: what runs is not as %s says\n", f.Environment, desired)
		fmt.Fprint(w, drift.Text(f.Differences, desired, "the cluster"))
	}
	printNotes(w, f.Notes)
}

// drifted tells whether what runs is not as anybody says.
func (f found) drifted() bool {
	return f.Comparison != nil && len(f.Differences) > 0 || f.Git != nil && f.Git.drifted()
}

// driftExit says by the exit code what was found; what is not known is no drift, but no
// peace either.
func driftExit(all []found) error {
	var unknown error
	for _, f := range all {
		if f.drifted() {
			return &exitError{ExitDrifted}
		}
		if f.err != nil && unknown == nil {
			unknown = &exitError{exitCode(f.err)}
		}
	}
	return unknown
}
