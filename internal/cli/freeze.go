package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
)

func freezeCommand(c *command) *cobra.Command {
	var f client.NewFreeze
	var from, until string
	cmd := &cobra.Command{
		Use:   "freeze",
		Short: "Stop lanes: all of them, a service's, or an environment's",
		Long: `Stop lanes: nothing in them advances until the freeze ends. A rollback stays possible.
Without --service and --environment it stops the whole line. Without --reason it lists
the freezes there are.`,
		Example: `  fairway freeze --reason "incident 4711"
  fairway freeze --environment production --reason "no Friday afternoons" --from 2026-03-06T12:00:00Z --rule "FREQ=WEEKLY;BYDAY=FR" --for 6h`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			if f.Reason == "" {
				page, err := api.Freezes(cmd.Context())
				if err != nil {
					return err
				}
				return c.show(page, func(w io.Writer) { printFreezes(w, page.Items) })
			}
			if f.From, err = instant("--from", from); err != nil {
				return err
			}
			if f.Until, err = instant("--until", until); err != nil {
				return err
			}
			made, err := api.Freeze(cmd.Context(), f)
			if err != nil {
				return err
			}
			return c.show(made, func(w io.Writer) {
				fmt.Fprintf(w, "Frozen: %s. End it with `fairway unfreeze %s`.\n", scope(made), made.ID)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Service, "service", "", "only this service")
	flags.StringVarP(&f.Environment, "environment", "e", "", "only this environment")
	flags.StringVarP(&f.Reason, "reason", "m", "", "what people will read on every release that waits")
	flags.StringVar(&from, "from", "", "when it begins, as 2026-03-06T12:00:00Z; default now")
	flags.StringVar(&until, "until", "", "when it ends; default when it is unfrozen")
	flags.StringVar(&f.Rule, "rule", "", "recurrence as in RFC 5545")
	flags.StringVar(&f.For, "for", "", "how long each occurrence lasts")
	return cmd
}

func unfreezeCommand(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "unfreeze FREEZE",
		Short: "End a freeze",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			if err := api.Unfreeze(cmd.Context(), args[0]); err != nil {
				return err
			}
			return c.show(map[string]any{"ended": args[0]}, func(w io.Writer) { fmt.Fprintf(w, "The freeze %s has ended.\n", args[0]) })
		},
	}
}

func instant(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fault.Errorf(fault.Invalid, "%s is %q, which is not an instant", flag, text).WithHint("write it as 2026-03-06T12:00:00Z")
	}
	return t, nil
}

func printFreezes(w io.Writer, freezes []client.Freeze) {
	if len(freezes) == 0 {
		fmt.Fprintln(w, "Nothing is frozen.")
		return
	}
	var rows [][]string
	for _, f := range freezes {
		until := "until it is ended"
		switch {
		case f.Rule != "":
			until = f.Rule + " for " + f.For.String()
		case !f.Until.IsZero():
			until = f.Until.Local().Format(time.DateTime)
		}
		rows = append(rows, []string{f.ID, scope(f), f.Reason, f.By, until})
	}
	printTable(w, []string{"FREEZE", "LANES", "REASON", "BY", "UNTIL"}, rows)
}

func scope(f client.Freeze) string {
	switch {
	case f.Service != "" && f.Environment != "":
		return f.Service + " in " + f.Environment
	case f.Service != "":
		return "all of " + f.Service
	case f.Environment != "":
		return "all in " + f.Environment
	}
	return "everything"
}
