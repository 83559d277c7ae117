// Package cli is the command line: one file per verb. It speaks to a server
// through api/client only; init, check and plan need none. The processes that a
// machine runs (server, worker, router, demo) are added by package app.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Exit codes, for scripts.
const (
	ExitOK          = 0
	ExitInternal    = 1
	ExitInvalid     = 2 // also a wrong use of the command line
	ExitNotFound    = 3
	ExitConflict    = 4
	ExitDenied      = 5
	ExitUnavailable = 6
	ExitRolledBack  = 10 // ship --watch, status -w: the release was rolled back
	ExitFailed      = 11 // … failed before it had traffic
	ExitEnded       = 12 // … was superseded or called off
	ExitBroken      = 13 // events --verify: the chain is broken
	ExitUnnoticed   = 14 // drill: it was not noticed
	ExitDrifted     = 15 // drift: what runs is not as the release says
)

// DefaultServer is where a server listens if nobody says otherwise.
const DefaultServer = "http://127.0.0.1:7878"

// command is what every verb works with.
type command struct {
	server, token string
	format        string
	out, errOut   io.Writer
}

// New returns the root command with every verb that needs no more than a server, or
// what a metric store has: past reads how it was, find tries what is asked now.
func New(version string, past Past, find Find) *cobra.Command {
	c := &command{}
	root := &cobra.Command{
		Use:   "fairway",
		Short: "Take a release from a green build to production, and back again in seconds",
		Long: `Fairway ships releases through judged canaries and takes a bad one back by itself.

  fairway demo       see it work, on this machine
  fairway init       write a fairway.yaml for your service
  fairway ship       release an artifact

The server is found by --server, FAIRWAY_SERVER, or ` + DefaultServer + `; the token by
--token, FAIRWAY_TOKEN, or the file that a server on this machine has written.

Exit codes: 0 done, 1 Fairway is wrong, 2 wrong input, 3 not found, 4 the state
forbids it, 5 not allowed, 6 not reachable, 10 rolled back, 11 failed, 12 superseded
or called off, 13 the ledger is broken, 14 a drill was not noticed, 15 what runs has
drifted.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          onlyVerbs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			c.out, c.errOut = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if c.format != "table" && c.format != "json" {
				return fault.Errorf(fault.Invalid, "the output format %q is not known", c.format).WithHint("use -o table or -o json")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&c.server, "server", "", "address of the server (FAIRWAY_SERVER)")
	flags.StringVar(&c.token, "token", "", "token to use (FAIRWAY_TOKEN); better not on the command line")
	flags.StringVarP(&c.format, "output", "o", "table", "table or json")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fault.Errorf(fault.Invalid, "%w", err).WithHint("see `%s --help`", cmd.CommandPath())
	})
	for _, verb := range []func(*command) *cobra.Command{
		initCommand, checkCommand, planCommand(find), shipCommand, statusCommand, eventsCommand,
		approveCommand, rejectCommand, pauseCommand, resumeCommand, rollbackCommand, skipCommand,
		freezeCommand, unfreezeCommand, evidenceCommand, userCommand, tokenCommand, keyCommand, replayCommand(past), drillCommand, driftCommand, diffCommand,
	} {
		root.AddCommand(verb(c))
	}
	return root
}

// onlyVerbs refuses a word that is no verb of the command, and names the nearest.
func onlyVerbs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fault.Errorf(fault.Invalid, "%s has no command %q", cmd.CommandPath(), args[0])
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return err.WithHint("did you mean `%s %s`?", cmd.CommandPath(), strings.Join(near, "` or `"+cmd.CommandPath()+" "))
	}
	return err.WithHint("see `%s --help`", cmd.CommandPath())
}

// Execute runs the command line and returns the exit code. Errors are printed with
// what to do next.
func Execute(ctx context.Context, root *cobra.Command) int {
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitOK
	}
	err = withoutToken(root, wrongUse(cmd, err))
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	json := false
	if f := root.PersistentFlags().Lookup("output"); f != nil {
		json = f.Value.String() == "json"
	}
	printError(root.ErrOrStderr(), err, json)
	return exitCode(err)
}

// exitError ends a command with a code and nothing more to say.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

var exitCodes = map[fault.Code]int{
	fault.Invalid: ExitInvalid, fault.NotFound: ExitNotFound, fault.Conflict: ExitConflict,
	fault.Denied: ExitDenied, fault.Unavailable: ExitUnavailable, fault.Internal: ExitInternal,
}

func exitCode(err error) int { return exitCodes[fault.CodeOf(err)] }

// wrongUse gives cobra's own words for a wrong use of the command line their code
// and a hint.
func wrongUse(cmd *cobra.Command, err error) error {
	for _, words := range []string{"unknown command", "accepts ", "requires ", "required flag(s)", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), words) {
			return fault.Errorf(fault.Invalid, "%w", err).WithHint("see `%s --help`", cmd.CommandPath())
		}
	}
	return err
}

func printError(w io.Writer, err error, asJSON bool) {
	message := err.Error()
	if asJSON {
		problem := map[string]any{"code": fault.CodeOf(err), "message": message, "hint": fault.HintOf(err)}
		var faults pipeline.Faults
		if errors.As(err, &faults) {
			problem["faults"] = faults
		}
		_ = printJSON(w, map[string]any{"error": problem})
		return
	}
	fmt.Fprintf(w, "fairway: %s\n", message)
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(w, "  hint: %s\n", hint)
	}
}

// client connects to the server, with the best token there is.
func (c *command) client() (*client.Client, error) {
	server := c.server
	if server == "" {
		server = os.Getenv("FAIRWAY_SERVER")
	}
	if server == "" {
		server = DefaultServer
	}
	return client.New(client.Config{URL: server, Token: bestToken(c.token)})
}

// bestToken is the token that was given, or else the best that there is.
func bestToken(given string) string {
	if given == "" {
		given = os.Getenv("FAIRWAY_TOKEN")
	}
	if given == "" {
		given = localToken()
	}
	return given
}

// withoutToken tells who was refused for want of a token where one may come from.
func withoutToken(root *cobra.Command, err error) error {
	var refused *client.StatusError
	given := root.PersistentFlags().Lookup("token")
	if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized || given == nil || bestToken(given.Value.String()) != "" {
		return err
	}
	return fault.Errorf(fault.Denied, "the server asks who you are, and there is no token").
		WithHint("set FAIRWAY_TOKEN or give --token; on the server's machine FAIRWAY_DATA_DIR names the folder with its first token (now %s)", DataDir())
}

// DataDir is where a server keeps its data if nobody says otherwise.
func DataDir() string {
	if dir := os.Getenv("FAIRWAY_DATA_DIR"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "fairway")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".fairway"
	}
	return filepath.Join(home, ".local", "state", "fairway")
}

// localToken is the token that a server on this machine left for its user.
func localToken() string {
	b, err := os.ReadFile(filepath.Join(DataDir(), "admin-token"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
