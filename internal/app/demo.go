package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/demo"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/router"
)

// demoConfig is what the demo is started with.
type demoConfig struct {
	definition string
	artifacts  string
	dir        string
	listen     string
	rate       float64
	keep       bool
	json       bool
	out        io.Writer
	log        *slog.Logger
}

func demoCommand() *cobra.Command {
	var c demoConfig
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: a good release, a bad one, and one that cannot start",
		Long: `Run a server, the router and a small web shop on this machine, send users to the shop,
and release three new versions of it: a good one, a bad one, and one that cannot start.
It takes under three minutes, and cleans up after itself unless --keep is given.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.json = cmd.Flag("output").Value.String() == "json"
			c.out = cmd.OutOrStdout()
			return runDemo(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&c.definition, "file", "f", "examples/shop/fairway.yaml", "the settings of the demo")
	flags.StringVar(&c.artifacts, "artifacts", "bin", "folder with shop-v1 to shop-v4; `make build` makes them")
	flags.StringVar(&c.dir, "data-dir", "", "folder to work in (default: a temporary one)")
	flags.StringVar(&c.listen, "listen", "127.0.0.1:7878", "address of the API and the UI")
	flags.Float64Var(&c.rate, "rate", 200, "users' requests per second")
	flags.BoolVar(&c.keep, "keep", false, "leave everything running, to play with, until Ctrl-C")
	return cmd
}

// runDemo starts a server in this process, tells the story to it, and takes
// everything away again.
func runDemo(ctx context.Context, c demoConfig) (err error) {
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "fairway-demo-"); err != nil {
			return fault.Errorf(fault.Unavailable, "make a temporary folder: %w", err)
		}
		defer func() { err = errors.Join(err, removeAll(c.dir)) }()
	}
	story, err := c.story()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fault.Errorf(fault.Unavailable, "make the folder: %w", err)
	}
	logFile, err := os.Create(filepath.Join(c.dir, "server.log"))
	if err != nil {
		return fault.Errorf(fault.Unavailable, "write the log: %w", err)
	}
	defer logFile.Close()
	c.log = slog.New(slog.NewTextHandler(logFile, nil))

	serverCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- Server(serverCtx, ServerConfig{
			DataDir: c.dir, Listen: freeAddress(c.listen), Log: c.log, Out: io.Discard,
			LeaseFor: 30 * time.Second, Ready: func(url string) { ready <- url },
		})
	}()
	defer func() {
		err = errors.Join(err, c.tearDown())
		stop()
		err = errors.Join(err, <-ended)
		err = errors.Join(err, endRouter(c.dir))
	}()
	var url string
	select {
	case url = <-ready:
	case err := <-ended:
		ended <- nil
		return err
	}
	token, err := os.ReadFile(filepath.Join(c.dir, "admin-token"))
	if err != nil {
		return fault.Errorf(fault.Internal, "read the first token: %w", err)
	}
	if story.API, err = client.New(client.Config{URL: url, Token: strings.TrimSpace(string(token))}); err != nil {
		return err
	}
	story.UI = url
	c.introduce(story, strings.TrimSpace(string(token)))
	summary, err := demo.Run(ctx, story)
	if err != nil {
		return err
	}
	if !c.json {
		summary.Print(c.out)
	}
	if c.keep {
		c.stay(ctx, url)
	}
	if c.json {
		if err := json.NewEncoder(c.out).Encode(summary); err != nil {
			return err
		}
	}
	return summary.Check()
}

// story reads the settings and the artifacts.
func (c *demoConfig) story() (demo.Config, error) {
	text, err := os.ReadFile(c.definition)
	if err != nil {
		return demo.Config{}, fault.Errorf(fault.NotFound, "the demo's settings are not there: %w", err).
			WithHint("run it in Fairway's repository, or name the file with --file")
	}
	address := freeAddress(shopAddress)
	text = bytes.ReplaceAll(text, []byte(shopAddress), []byte(address))
	d := demo.Config{
		Definition: string(text), Service: "http://" + address + "/", Artifacts: map[string]demo.Artifact{}, Rate: c.rate, Out: c.out,
	}
	for _, version := range []string{demo.First, demo.Good, demo.Bad, demo.Dead} {
		path, err := filepath.Abs(filepath.Join(c.artifacts, "shop-"+version))
		if err != nil {
			return d, fault.Errorf(fault.Invalid, "the folder %s has no absolute path: %w", c.artifacts, err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return d, fault.Errorf(fault.NotFound, "version %s of the shop is not built: %w", version, err).
				WithHint("run `make build` first")
		}
		sum := sha256.Sum256(content)
		d.Artifacts[version] = demo.Artifact{Path: path, Digest: "sha256:" + hex.EncodeToString(sum[:])}
	}
	return d, nil
}

// shopAddress is where the shop listens according to the demo's settings.
const shopAddress = "127.0.0.1:8080"

// freeAddress returns the address, or one with a free port where it is taken.
func freeAddress(address string) string {
	l, err := net.Listen("tcp", address)
	if err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return address
		}
	}
	defer l.Close()
	return l.Addr().String()
}

func (c *demoConfig) introduce(s demo.Config, token string) {
	fmt.Fprintf(c.out, "Fairway's demo. The page shows the same live:\n\n  %s   (token: %s)\n\nThe shop's users go to %s. What is shipped with (%s):\n\n", s.UI, token, s.Service, c.definition)
	for _, line := range strings.Split(strings.TrimSpace(s.Definition), "\n") {
		fmt.Fprintf(c.out, "  %s\n", line)
	}
}

func (c *demoConfig) stay(ctx context.Context, url string) {
	fmt.Fprintf(c.out, "\nEverything goes on running. Open %s, or in another terminal:\n\n  export FAIRWAY_SERVER=%s FAIRWAY_DATA_DIR=%s\n  bin/fairway status\n\nCtrl-C ends it.\n", url, url, c.dir)
	<-ctx.Done()
}

// tearDown takes the shop's processes away, by the platform's own verbs.
func (c *demoConfig) tearDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	parts, err := newHost(hostConfig{dataDir: c.dir, log: c.log, clock: newClock(c.log)})
	if err != nil {
		return err
	}
	if err := parts.awaitRouter(ctx); err != nil {
		return err
	}
	return platform.Clear(ctx, parts.platform, platform.Target{Service: "shop", Environment: "production"}, "the end of the demo")
}

// endRouter stops the router of the folder, by the pid that it tells.
func endRouter(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	health, err := router.NewClient(filepath.Join(dir, "router")).Health(ctx)
	if err != nil || health.PID == 0 {
		return nil // there is none (any more)
	}
	if err := syscall.Kill(health.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fault.Errorf(fault.Internal, "stop the router: %w", err)
	}
	return nil
}

// removeAll removes the folder, also where the router, which is just ending, still writes
// into it.
func removeAll(dir string) (err error) {
	for range 20 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}
