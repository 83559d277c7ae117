// Command up brings a real Kubernetes up and keeps it until ctrl-C. Run it from the
// repository's root, as root, on Linux:
//
//	go run ./test/cluster/up
//
// Its exit code is 3 where the machine cannot run one, and 1 when something failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/test/cluster"
)

func main() {
	var o cluster.Options
	flag.BoolVar(&o.Node, "node", true, "with a node that runs pods")
	flag.BoolVar(&o.Gateway, "gateway", true, "with the Gateway API, and Traefik if there is a node")
	prepare := flag.Bool("prepare", false, "only install and build what is needed, and bring nothing up")
	flag.Parse()
	err := run(o, *prepare)
	if err != nil {
		fmt.Fprintln(os.Stderr, "up:", err)
	}
	switch {
	case errors.Is(err, cluster.ErrUnable):
		os.Exit(unable)
	case err != nil:
		os.Exit(1)
	}
}

// unable is the exit code that says that this machine cannot, which is no failure.
const unable = 3

func run(o cluster.Options, prepare bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	if err := cluster.Prepare(ctx, o, say); err != nil || prepare {
		return err
	}
	c, err := cluster.Up(ctx, o, say)
	if err != nil {
		return err
	}
	say("\nA client of Kubernetes on this machine reaches it by\n\n  export KUBECONFIG=%s\n", c.Kubeconfig)
	if c.GatewayURL != "" {
		say("Routes of the Gateway default/fairway are served at\n\n  %s\n", c.GatewayURL)
	}
	say("Logs are in %s. Ctrl-C takes it all down.", c.LogDir())
	<-ctx.Done()
	// A second ctrl-C ends this at once; the cluster goes down all the same.
	stop()
	began := time.Now()
	if err := c.Close(); err != nil {
		return err
	}
	say("Down after %.1f s; nothing is left.", time.Since(began).Seconds())
	return nil
}
