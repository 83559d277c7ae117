package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
)

func eventsCommand(c *command) *cobra.Command {
	var follow, verify bool
	cmd := &cobra.Command{
		Use:   "events [RELEASE]",
		Short: "Show the ledger of a release, follow it, or verify it",
		Long: `Show the ledger of a release (the newest if none is named), follow it, or verify it.

With --verify the hash chain of the release is checked, or of all releases if none is
named; a broken one is named with its first broken line, and the exit code is 13.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			switch {
			case verify:
				return c.verify(ctx, api, args)
			case follow:
				return c.followEvents(ctx, api, args)
			}
			ref, err := named(ctx, api, args)
			if err != nil {
				return err
			}
			return c.events(ctx, api, ref, 0)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "stay and tell new ones; of all releases if none is named")
	cmd.Flags().BoolVar(&verify, "verify", false, "check the hash chain")
	cmd.MarkFlagsMutuallyExclusive("follow", "verify")
	return cmd
}

// followEvents tells events until the user has seen enough.
func (c *command) followEvents(ctx context.Context, api *client.Client, args []string) error {
	var err error
	if len(args) == 0 {
		err = api.Follow(ctx, "", c.tell)
	} else {
		err = api.Live(ctx, args[0], "", client.Listener{Event: c.tell})
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (c *command) tell(e client.Event) error {
	if c.format == "json" {
		return printJSON(c.out, e)
	}
	printEvent(c.out, e)
	return nil
}

// pageSize is how many lines are asked for at once.
const pageSize = 500

// events tells the lines of a release's ledger behind the given one.
func (c *command) events(ctx context.Context, api *client.Client, ref string, after int64) error {
	for {
		page, err := api.Events(ctx, ref, after, pageSize)
		if err != nil {
			return err
		}
		for _, e := range page.Items {
			after = e.Seq
			if err := c.tell(e); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
	}
}

func (c *command) verify(ctx context.Context, api *client.Client, args []string) error {
	refs := args
	if len(refs) == 0 {
		all, err := everyRelease(ctx, api)
		if err != nil {
			return err
		}
		refs = all
	}
	results := make([]client.Verification, 0, len(refs))
	broken := false
	for _, ref := range refs {
		v, err := api.Verify(ctx, ref)
		if err != nil {
			return err
		}
		broken = broken || !v.OK
		results = append(results, v)
	}
	if err := c.show(results, func(w io.Writer) { printVerifications(w, results) }); err != nil {
		return err
	}
	if broken {
		return &exitError{ExitBroken}
	}
	return nil
}

func printVerifications(w io.Writer, results []client.Verification) {
	var rows [][]string
	for _, v := range results {
		says := "in order"
		if v.Removed != "" {
			says += "; " + strings.TrimSuffix(v.Removed, ".")
		}
		if !v.OK {
			says = v.Broken
		}
		rows = append(rows, []string{v.Release, fmt.Sprint(v.Lines), short(v.Head), says})
	}
	printTable(w, []string{"RELEASE", "LINES", "HEAD", "CHAIN"}, rows)
}

func everyRelease(ctx context.Context, api *client.Client) ([]string, error) {
	var ids []string
	for f := (client.Filter{Limit: 100}); ; {
		page, err := api.Releases(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Items {
			ids = append(ids, r.ID)
		}
		if page.Next == "" {
			return ids, nil
		}
		f.Cursor = page.Next
	}
}

// named returns the release named on the command line, or else the newest.
func named(ctx context.Context, api *client.Client, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	return newest(ctx, api)
}

func newest(ctx context.Context, api *client.Client) (string, error) {
	page, err := api.Releases(ctx, client.Filter{Limit: 1})
	if err != nil {
		return "", err
	}
	if len(page.Items) == 0 {
		return "", fault.Errorf(fault.NotFound, "there is no release yet").WithHint("create one with `fairway ship`")
	}
	return page.Items[0].ID, nil
}
