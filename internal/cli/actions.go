package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
)

// act makes a command that does one thing to a release and shows what came of it.
// The release must be named, and is looked at first: what is done is done to what
// the name meant then, also if a newer one comes in between.
func (c *command) act(use, short string, do func(ctx context.Context, api *client.Client, r client.ReleaseDetail) (client.ReleaseDetail, error)) *cobra.Command {
	return &cobra.Command{
		Use:   use + " RELEASE",
		Short: short,
		Long:  short + ". A release is named by its ID, by SERVICE@VERSION, or by\nSERVICE for its newest one.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fault.Errorf(fault.Invalid, "it is not said which release").
					WithHint("name one, for instance `%s SERVICE`; `fairway status` lists them", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			seen, err := api.Release(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			r, err := do(cmd.Context(), api, seen)
			if err != nil {
				return err
			}
			return c.show(r, func(w io.Writer) { fmt.Fprintf(w, "%s (%s): %s\n", titleOf(r.Release), r.ID, r.Headline) })
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

// bound binds an answer to what was looked at, unless the caller says to what.
func bound(a client.Approval, seen client.ReleaseDetail) client.Approval {
	if a.Digest == "" {
		a.Digest = seen.Digest
	}
	if a.PlanHash == "" {
		a.PlanHash = seen.PlanHash
	}
	return a
}

func approveCommand(c *command) *cobra.Command {
	var a client.Approval
	return approval(c.act("approve", "Approve what waits for a person, or decide that it goes on without proof",
		func(ctx context.Context, api *client.Client, seen client.ReleaseDetail) (client.ReleaseDetail, error) {
			return api.Approve(ctx, seen.ID, bound(a, seen))
		}), &a)
}

func rejectCommand(c *command) *cobra.Command {
	var a client.Approval
	return approval(c.act("reject", "Refuse what waits for a person",
		func(ctx context.Context, api *client.Client, seen client.ReleaseDetail) (client.ReleaseDetail, error) {
			return api.Reject(ctx, seen.ID, bound(a, seen))
		}), &a)
}

// action makes a command for a wish that needs no more than a reason.
func (c *command) action(use, short string, ask func(*client.Client, context.Context, string, client.Action) (client.ReleaseDetail, error)) (*cobra.Command, *client.Action) {
	a := &client.Action{}
	cmd := c.act(use, short, func(ctx context.Context, api *client.Client, seen client.ReleaseDetail) (client.ReleaseDetail, error) {
		return ask(api, ctx, seen.ID, *a)
	})
	cmd.Flags().StringVarP(&a.Reason, "reason", "m", "", "why")
	return cmd, a
}

func pauseCommand(c *command) *cobra.Command {
	cmd, _ := c.action("pause", "Let nothing advance; a retreat stays possible", (*client.Client).Pause)
	return cmd
}

func resumeCommand(c *command) *cobra.Command {
	cmd, _ := c.action("resume", "Let a paused release go on", (*client.Client).Resume)
	return cmd
}

func skipCommand(c *command) *cobra.Command {
	cmd, a := c.action("skip", "Leave an environment out; it needs a role and a reason", (*client.Client).Skip)
	cmd.Flags().StringVarP(&a.Environment, "environment", "e", "", "which")
	_ = cmd.MarkFlagRequired("environment")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func rollbackCommand(c *command) *cobra.Command {
	var r client.Rollback
	var key string
	var cmd *cobra.Command
	cmd = c.act("rollback", "Take a release back, or bring an older one back",
		func(ctx context.Context, api *client.Client, seen client.ReleaseDetail) (client.ReleaseDetail, error) {
			if r.To == "" {
				return api.Rollback(ctx, seen.ID, r)
			}
			r.To = olderOf(seen, cmd.Flags().Arg(0), r.To)
			return api.Restore(ctx, seen.ID, r, key)
		})
	cmd.Long += `

With --to an older release of the same service is brought back: that makes a new
release which places it again.`
	cmd.Flags().StringVarP(&r.Environment, "environment", "e", "", "default: the current one")
	cmd.Flags().StringVarP(&r.Reason, "reason", "m", "", "why")
	cmd.Flags().StringVar(&r.To, "to", "", "an older release, by ID or version")
	cmd.Flags().StringVar(&key, "idempotency-key", "", "with --to: the same key again creates no second release")
	return cmd
}

// olderOf says of which service the older version is: of the one that was named, where it is
// not the leading one of the release.
func olderOf(seen client.ReleaseDetail, named, to string) string {
	service, _, _ := strings.Cut(named, "@")
	other := slices.ContainsFunc(seen.With, func(c client.ReleaseComponent) bool { return c.Service == service })
	if _, err := ulid.ParseStrict(to); !other || err == nil || strings.Contains(to, "@") {
		return to
	}
	return service + "@" + to
}
