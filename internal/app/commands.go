package app

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api"
	"github.com/fairwayhq/fairway/internal/cli"
	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform/host"
	"github.com/fairwayhq/fairway/internal/router"
	"github.com/fairwayhq/fairway/internal/store"
)

// Commands are the verbs that run processes; the others are package cli's.
func Commands() []*cobra.Command {
	return []*cobra.Command{serverCommand(), workerCommand(), routerCommand(), demoCommand(), hostCommand(), hostExecCommand(), commandExecCommand(), openAPICommand(), schemaCommand()}
}

// logFlags are the flags of every process that logs.
type logFlags struct {
	level  string
	format string
}

func (l *logFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.level, "log-level", "info", "debug, info, warn or error")
	cmd.Flags().StringVar(&l.format, "log-format", "text", "text or json")
}

func (l *logFlags) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.level)); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the log level %q is not known", l.level).WithHint("use debug, info, warn or error")
	}
	options := &slog.HandlerOptions{Level: level}
	switch l.format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	}
	return nil, fault.Errorf(fault.Invalid, "the log format %q is not known", l.format).WithHint("use text or json")
}

func serverCommand() *cobra.Command {
	var c ServerConfig
	var logs logFlags
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run the server, with a worker inside",
		Long: `Run the server: the API, the UI, and the part that makes releases move. A worker for
this machine runs inside. With the first release to this machine it starts the traffic
router as a process of its own, which goes on serving when the server stops.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Log, err = logs.logger(cmd.ErrOrStderr()); err != nil {
				return err
			}
			if cmd.Flags().Changed(workerEnvironments) {
				if c.WorkerEnvironments, err = named(c.WorkerEnvironments); err != nil {
					return err
				}
			}
			if err := checkParallel("worker-", c.WorkerParallel, c.WorkerParallelJobs); err != nil {
				return err
			}
			c.Out = cmd.OutOrStdout()
			return store.Ending(Server(cmd.Context(), c))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.DataDir, "data-dir", cli.DataDir(), "folder of the database and of what the worker needs (FAIRWAY_DATA_DIR)")
	flags.StringVar(&c.Listen, "listen", strings.TrimPrefix(cli.DefaultServer, "http://"), "address of the API and the UI; only this machine reaches the default")
	flags.BoolVar(&c.NoWorker, "no-worker", false, "run no worker inside")
	flags.BoolVar(&c.ReadOnly, "read-only", false, "only show what the database, a copy, has: no worker, no notifications, no wake-ups, and the API refuses changes")
	addParallel(cmd, "worker-", &c.WorkerParallel, &c.WorkerParallelJobs)
	flags.StringSliceVar(&c.WorkerEnvironments, workerEnvironments, nil, "let the worker inside take tasks of these environments only (default: all)")
	for _, of := range []string{workerEnvironments, "worker-parallel", "worker-parallel-jobs"} {
		cmd.MarkFlagsMutuallyExclusive("no-worker", of)
		cmd.MarkFlagsMutuallyExclusive("read-only", of)
	}
	addDatabase(cmd, &c.Database)
	cmd.AddCommand(databaseCommands()...)
	addOpeningKey(cmd, &c.OpeningKeyFile)
	flags.StringVar(&c.TLS.Cert, "tls-cert", "", "file with the server's certificate, in PEM; without one it speaks plain HTTP")
	flags.StringVar(&c.TLS.Key, "tls-key", "", "file with its key, in PEM")
	flags.StringVar(&c.TLS.CA, "tls-client-ca", "", "file with the authorities, in PEM, from which workers must show a certificate")
	flags.DurationVar(&c.LeaseFor, "lease", 30*time.Second, "how long a worker holds a task without a sign of life")
	flags.DurationVar(&c.DatabaseWait, "database-wait", time.Minute, "how long to try to reach a PostgreSQL at the start")
	flags.DurationVar(&c.Drain, "drain", 10*time.Second, "how long requests in flight may go on once it was told to stop")
	flags.DurationVar(&c.Announce, "announce", time.Second, "the part of --drain, at most half of it, in which /readyz tells balancers while connections are still taken")
	flags.DurationVar(&c.DriftEvery, "drift-every", 5*time.Minute, "how often workers look whether what runs is as released; 0 is never")
	flags.DurationVar(&c.VerifyEvery, "verify-every", 24*time.Hour, "how often the whole ledger is verified; 0 is never")
	flags.Var(period{&c.Keep.Samples}, "keep-samples", "how long samples are kept of releases that have ended and are not at home, for instance 90d; 0 is for ever")
	flags.Var(period{&c.Keep.Events}, "keep-events", "the same of their events; one line of each history stays and says what is gone")
	flags.StringVar(&c.Pprof, "pprof", "", "address for profiles of the process, for instance 127.0.0.1:6060")
	logs.add(cmd)
	cmd.AddCommand(backupCommand(), restoreCommand())
	return cmd
}

func addOpeningKey(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "opening-key-file", os.Getenv("FAIRWAY_OPENING_KEY_FILE"),
		"file with the worker's opening key, for Secrets that are released (FAIRWAY_OPENING_KEY_FILE); see fairway key --help")
}

const workerEnvironments = "worker-environments"

// named returns the environments of the flag. None at all, as from a variable that
// is not set, would mean every one.
func named(environments []string) ([]string, error) {
	names := make([]string, len(environments))
	for i, e := range environments {
		names[i] = strings.TrimSpace(e)
	}
	if len(names) == 0 || slices.Contains(names, "") {
		return nil, fault.Errorf(fault.Invalid, "--%s has an empty name in %q", workerEnvironments, strings.Join(environments, ",")).
			WithHint("for instance --%s staging,production; without the flag the worker takes tasks of all environments", workerEnvironments)
	}
	return names, nil
}

func workerCommand() *cobra.Command {
	var c WorkerConfig
	var logs logFlags
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run a worker that takes its tasks from a server",
		Long: `Run a worker near what it releases to. It only connects outwards, to the server; what it
needs to reach its targets stays with it. The token and the certificates may be replaced
in their files at any time. Cut off from the server it goes on looking after what has
traffic, and may hold it or take it back, never give it more.`,
		Example: "  fairway worker --server https://fairway.example.com --token-file token --environment production --region eu-west-1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Log, err = logs.logger(cmd.ErrOrStderr()); err != nil {
				return err
			}
			if err := checkParallel("", c.Parallel, c.ParallelJobs); err != nil {
				return err
			}
			return Worker(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	// The server's address is the root command's flag of the same name.
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		c.Server = cmd.Flag("server").Value.String()
		if c.Server == "" {
			c.Server = os.Getenv("FAIRWAY_SERVER")
		}
		if c.Server == "" {
			c.Server = cli.DefaultServer
		}
		return nil
	}
	flags.StringVar(&c.DataDir, "data-dir", cli.DataDir(), "folder of what the worker needs (FAIRWAY_DATA_DIR)")
	flags.StringVar(&c.TokenFile, "token-file", "", "file with the worker's token; it is read again when it changes")
	flags.StringVar(&c.Name, "name", "", "the worker's own name (default: the machine's)")
	flags.StringSliceVar(&c.Environments, "environment", nil, "take tasks of these environments only")
	flags.StringVar(&c.MetricsListen, "metrics-listen", "", "address of the worker's own /metrics and /healthz, for instance 127.0.0.1:7879")
	flags.StringSliceVar(&c.Regions, "region", nil, "take tasks of these regions only")
	addParallel(cmd, "", &c.Parallel, &c.ParallelJobs)
	flags.StringVar(&c.TLS.CA, "ca", "", "file with the authorities of the server's certificate, in PEM (default: the system's)")
	flags.StringVar(&c.TLS.Cert, "client-cert", "", "file with the certificate to show to the server, in PEM")
	flags.StringVar(&c.TLS.Key, "client-key", "", "file with its key, in PEM")
	flags.BoolVar(&c.PlainHTTP, "plain-http", false, "let the token travel unencrypted to a server on another machine")
	addOpeningKey(cmd, &c.OpeningKeyFile)
	_ = cmd.MarkFlagRequired("token-file")
	logs.add(cmd)
	return cmd
}

func routerCommand() *cobra.Command {
	var c router.Config
	var logs logFlags
	cmd := &cobra.Command{
		Use:   "router",
		Short: "Run the traffic router of the host platform",
		Long: `Run the traffic router. A worker starts it by itself, when it first has to do with a
service on its own machine. A router started beside a running one takes over its
listeners without dropping a connection: that is how it is upgraded.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Log, err = logs.logger(cmd.ErrOrStderr()); err != nil {
				return err
			}
			forgetStart()
			return router.Run(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.StateDir, "state-dir", "", "folder of its table and its admin socket")
	flags.StringVar(&c.CertFile, "cert", "", "certificate for TLS (PEM)")
	flags.StringVar(&c.KeyFile, "key", "", "its key (PEM)")
	flags.BoolVar(&c.NoRevisionHeader, "no-revision-header", false, "do not name the revision in answers")
	flags.DurationVar(&c.DrainTimeout, "drain", 30*time.Second, "how long requests may go on after it was told to stop")
	_ = cmd.MarkFlagRequired("state-dir")
	logs.add(cmd)
	return cmd
}

// hostExecCommand is how the host platform starts a service: see host.Exec.
func hostExecCommand() *cobra.Command {
	return &cobra.Command{
		Use: "host-exec", Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error { return host.Exec(args) },
	}
}

// commandExecCommand is how every command of a plan starts: see command.Exec.
func commandExecCommand() *cobra.Command {
	return &cobra.Command{
		Use: "command-exec", Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error { return command.Exec(args) },
	}
}

func openAPICommand() *cobra.Command {
	return &cobra.Command{
		Use: "openapi", Short: "Print the OpenAPI document of the HTTP API", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", api.OpenAPI())
			return err
		},
	}
}

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of fairway.yaml, for editors", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", pipeline.Schema())
			return err
		},
	}
}
