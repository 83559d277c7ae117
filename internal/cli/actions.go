package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
)

// act makes a command that does one thing to a release and shows what came of it.
func (c *command) act(use, short string, do func(ctx context.Context, api *client.Client, ref string) (client.ReleaseDetail, error)) *cobra.Command {
	return &cobra.Command{
		Use:   use + " [RELEASE]",
		Short: short,
		Long:  short + ". Without a name it is the newest release.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			ref, err := named(cmd.Context(), api, args)
			if err != nil {
				return err
			}
			r, err := do(cmd.Context(), api, ref)
			if err != nil {
				return err
			}
			return c.show(r, func(w io.Writer) { fmt.Fprintf(w, "%s %s (%s): %s\n", r.Service, r.Version, r.ID, r.Headline) })
		},
	}
}

// approval adds the flags that an answer has.
func approval(cmd *cobra.Command, a *client.Approval) *cobra.Command {
	flags := cmd.Flags()
	flags.StringVarP(&a.Environment, "environment", "e", "", "default: the one that waits")
	flags.StringVar(&a.Stage, "stage", "", "default: the one that waits")
	flags.StringVarP(&a.Reason, "reason", "m", "", "why")
	flags.StringVar(&a.Digest, "digest", "", "refuse if the release has another artifact")
	flags.StringVar(&a.PlanHash, "plan-hash", "", "refuse if the release has another plan")
	return cmd
}

func approveCommand(c *command) *cobra.Command {
	var a client.Approval
	return approval(c.act("approve", "Approve what waits for a person, or decide that it goes on without proof",
		func(ctx context.Context, api *client.Client, ref string) (client.ReleaseDetail, error) {
			return api.Approve(ctx, ref, a)
		}), &a)
}

func rejectCommand(c *command) *cobra.Command {
	var a client.Approval
	return approval(c.act("reject", "Refuse what waits for a person",
		func(ctx context.Context, api *client.Client, ref string) (client.ReleaseDetail, error) {
			return api.Reject(ctx, ref, a)
		}), &a)
}

func pauseCommand(c *command) *cobra.Command {
	var a client.Action
	cmd := c.act("pause", "Let nothing advance; a retreat stays possible",
		func(ctx context.Context, api *client.Client, ref string) (client.ReleaseDetail, error) {
			return api.Pause(ctx, ref, a)
		})
	cmd.Flags().StringVarP(&a.Reason, "reason", "m", "", "why")
	return cmd
}

func resumeCommand(c *command) *cobra.Command {
	var a client.Action
	cmd := c.act("resume", "Let a paused release go on",
		func(ctx context.Context, api *client.Client, ref string) (client.ReleaseDetail, error) {
			return api.Resume(ctx, ref, a)
		})
	cmd.Flags().StringVarP(&a.Reason, "reason", "m", "", "why")
	return cmd
}

func rollbackCommand(c *command) *cobra.Command {
	var r client.Rollback
	cmd := c.act("rollback", "Take a release back, or bring an older one back",
		func(ctx context.Context, api *client.Client, ref string) (client.ReleaseDetail, error) {
			return api.Rollback(ctx, ref, r)
		})
	cmd.Long += ` With --to an older release of
the same service is brought back: that makes a new release which places it again.`
	cmd.Flags().StringVarP(&r.Environment, "environment", "e", "", "default: the current one")
	cmd.Flags().StringVarP(&r.Reason, "reason", "m", "", "why")
	cmd.Flags().StringVar(&r.To, "to", "", "an older release, by ID or version")
	return cmd
}

func skipCommand(c *command) *cobra.Command {
	var a client.Action
	cmd := c.act("skip", "Leave an environment out; it needs a role and a reason",
		func(ctx context.Context, api *client.Client, ref string) (client.ReleaseDetail, error) {
			return api.Skip(ctx, ref, a)
		})
	cmd.Flags().StringVarP(&a.Environment, "environment", "e", "", "which")
	cmd.Flags().StringVarP(&a.Reason, "reason", "m", "", "why")
	_ = cmd.MarkFlagRequired("environment")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}
