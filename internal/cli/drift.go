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
		Long: `Show where what runs is not as the release at home says, field by field, as a worker of
the environment sees it now. What the cluster fills in by itself, and what scales by
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
		if env := home.Plan.Environment(e.Name); env != nil && env.Platform == pipeline.PlatformKubernetes {
			names = append(names, e.Name)
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
	err     error
}

// drifts asks for each environment. Where only one is asked about, why it is not known is
// the error.
func drifts(ctx context.Context, api *client.Client, service string, environments []string) ([]found, error) {
	var all []found
	for _, e := range environments {
		f := found{Environment: e}
		answer, err := api.Inquire(ctx, client.NewInquiry{About: inquiry.Drift, Service: service, Environment: e})
		switch {
		case err != nil && len(environments) == 1:
			return nil, err
		case err != nil:
			f.Unknown, f.err = err.Error(), err
		default:
			f.Comparison = &answer
		}
		all = append(all, f)
	}
	return all, nil
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
		plan := service + " " + f.Version
		if len(f.Differences) == 0 {
			fmt.Fprintf(w, "%s: what runs is as %s says\n", f.Environment, plan)
		} else {
			fmt.Fprintf(w, "%s: what runs is not as %s says\n", f.Environment, plan)
			fmt.Fprint(w, drift.Text(f.Differences, plan, "the cluster"))
		}
		printNotes(w, f.Notes)
	}
}

// driftExit says by the exit code what was found; what is not known is no drift, but no
// peace either.
func driftExit(all []found) error {
	var unknown error
	for _, f := range all {
		if f.Comparison != nil && len(f.Differences) > 0 {
			return &exitError{ExitDrifted}
		}
		if f.err != nil && unknown == nil {
			unknown = &exitError{exitCode(f.err)}
		}
	}
	return unknown
}
