package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
)

func userCommand(c *command) *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Manage users", Args: onlyVerbs, RunE: helpOf}
	cmd.AddCommand(userList(c), userAdd(c))
	return cmd
}

func helpOf(cmd *cobra.Command, _ []string) error { return cmd.Help() }

func userList(c *command) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List users", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			page, err := api.Users(cmd.Context())
			if err != nil {
				return err
			}
			return c.show(page, func(w io.Writer) {
				var rows [][]string
				for _, u := range page.Items {
					rows = append(rows, []string{u.Name, strings.Join(u.Roles, ", "), ago(u.CreatedAt)})
				}
				printTable(w, []string{"USER", "ROLES", "SINCE"}, rows)
			})
		},
	}
}

func userAdd(c *command) *cobra.Command {
	var u client.NewUser
	var password bool
	cmd := &cobra.Command{
		Use: "add NAME --role ROLE …", Short: "Add a user", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			u.Name = args[0]
			if password {
				line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
				if err != nil && line == "" {
					return fault.Errorf(fault.Invalid, "no password came on standard input")
				}
				u.Password = strings.TrimRight(line, "\r\n")
			}
			api, err := c.client()
			if err != nil {
				return err
			}
			made, err := api.AddUser(cmd.Context(), u)
			if err != nil {
				return err
			}
			return c.show(made, func(w io.Writer) {
				fmt.Fprintf(w, "User %s was added. Make a token with `fairway token add --user %s`.\n", made.Name, made.Name)
			})
		},
	}
	cmd.Flags().StringSliceVar(&u.Roles, "role", nil, "viewer, developer, release-manager, sre, security, qa, product-owner, support or admin")
	cmd.Flags().BoolVar(&password, "password-stdin", false, "read a password from standard input")
	return cmd
}

func tokenCommand(c *command) *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Manage tokens", Args: onlyVerbs, RunE: helpOf}
	cmd.AddCommand(tokenList(c), tokenAdd(c), tokenRevoke(c))
	return cmd
}

func tokenList(c *command) *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "list", Short: "List tokens", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			page, err := api.Tokens(cmd.Context(), user)
			if err != nil {
				return err
			}
			return c.show(page, func(w io.Writer) {
				var rows [][]string
				for _, t := range page.Items {
					kind := "person"
					if t.Worker {
						kind = "worker"
					}
					rows = append(rows, []string{t.ID, t.User, t.Name, kind, strings.Join(t.Environments, ", "), strings.Join(t.Regions, ", "), ago(t.CreatedAt)})
				}
				printTable(w, []string{"TOKEN", "USER", "NAME", "FOR", "ENVIRONMENTS", "REGIONS", "MADE"}, rows)
			})
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "whose (default: your own)")
	return cmd
}

func tokenAdd(c *command) *cobra.Command {
	var t client.NewToken
	cmd := &cobra.Command{
		Use: "add", Short: "Make a token; its secret is shown once", Args: cobra.NoArgs,
		Example: "  fairway token add --name worker-1 --worker --environment production --region eu-west-1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			made, err := api.AddToken(cmd.Context(), t)
			if err != nil {
				return err
			}
			return c.show(made, func(w io.Writer) { fmt.Fprintln(w, made.Secret) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&t.User, "user", "", "whose (default: your own)")
	flags.StringVar(&t.Name, "name", "", "what it is for")
	flags.BoolVar(&t.Worker, "worker", false, "it may only carry out tasks")
	flags.StringSliceVar(&t.Environments, "environment", nil, "a worker's environments (default: all)")
	flags.StringSliceVar(&t.Regions, "region", nil, "a worker's regions (default: all)")
	flags.StringVar(&t.For, "for", "", "how long it is good, for instance 720h")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

func tokenRevoke(c *command) *cobra.Command {
	return &cobra.Command{
		Use: "revoke TOKEN", Short: "Make a token useless", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			if err := api.RevokeToken(cmd.Context(), args[0]); err != nil {
				return err
			}
			return c.show(map[string]any{"revoked": args[0]}, func(w io.Writer) { fmt.Fprintf(w, "Token %s is revoked.\n", args[0]) })
		},
	}
}
