// Package cluster brings up a real Kubernetes on one machine, for tests and benchmarks
// that must see how Fairway behaves on one: API server, controller manager, scheduler
// and etcd, and where it is asked for a node (kubelet, kube-proxy, containerd) whose
// pods really run, and Traefik as a gateway that really splits traffic.
//
//	c := cluster.Start(t, cluster.Options{Node: true, Gateway: true})
//	err := c.Load(ctx, cluster.Image{Name: "fairway.test/shop:v1", Package: "github.com/fairwayhq/fairway/examples/shop"})
//	err = c.API.Apply(ctx, manifests)
//	answer, err := http.Get(c.GatewayURL)
//
// Besides it can run a Prometheus that scrapes the gateway (StartPrometheus), count what
// one user asks of the API server (KubeconfigFor, Requests), kill and restart that
// (RestartAPIServer), and pretend to run thousands of pods (StartHollowNode).
//
// Nothing is downloaded as a binary: Kubernetes, etcd and Traefik are built from their
// Go modules (the nested modules in kubernetes and traefik) once, into the user's cache
// folder; containerd and runc are Debian's packages; images are made on the spot from
// static Go programs. Everything runs in a sandbox (see package sandbox), so a cluster
// can reach no network, two can run side by side, and nothing is left of one.
//
// It is not a place to test Kubernetes in: there is one node, no DNS, no storage
// classes, and etcd does not wait for the disk.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/test/cluster/sandbox"
)

// Ask is the environment variable that asks for tests with a real cluster. They take
// minutes and gigabytes when Kubernetes is not built yet, so nobody gets them unasked.
const Ask = "FAIRWAY_TEST_CLUSTER"

// upLimit is how long a cluster may take to come up when everything is built.
const upLimit = 3 * time.Minute

// Options say what a cluster is made of.
type Options struct {
	// Node adds a node. Without one there is the control plane alone: objects are kept
	// and controllers act on them, but every pod stays pending.
	Node bool
	// Gateway adds the resource definitions of the Gateway API and, where there is a
	// node, Traefik and a Gateway named default/fairway that takes routes of all
	// namespaces.
	Gateway bool
}

// Cluster is one that is up.
type Cluster struct {
	// API reaches the API server as an administrator.
	API *API
	// Kubeconfig is a file for programs on this machine, as an administrator. It counts
	// until Close, and only while this process lives.
	Kubeconfig string
	// GatewayURL is where the gateway answers to this machine; empty without one.
	GatewayURL string

	options   Options
	built     built
	say       func(format string, args ...any)
	sandbox   *sandbox.Sandbox
	fell      context.CancelCauseFunc // called when a component ends by itself
	authority *authority

	ending context.Context // ends with Close, which waits for work
	end    context.CancelFunc
	work   sync.WaitGroup

	mu         sync.Mutex
	references map[string]string // of images, by their names
}

// Start brings a cluster up for a test and takes it down after it. The test is skipped,
// with the reason, where nobody asked for one or the machine cannot. When it fails, the
// ends of the components' logs are shown.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	Need(t, o)
	c, err := Up(t.Context(), o, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Logs(30))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Need skips a test, with the reason, where nobody asked for a cluster or the machine
// cannot run one. Otherwise it sees to it that what a cluster needs is there.
func Need(t testing.TB, o Options) {
	t.Helper()
	if os.Getenv(Ask) == "" {
		t.Skipf("nobody asked for a real Kubernetes: make test-cluster does, or %s=1", Ask)
	}
	if err := Prepare(t.Context(), o, t.Logf); err != nil {
		if errors.Is(err, ErrUnable) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
}

// Up brings a cluster up; say hears of each step.
func Up(ctx context.Context, o Options, say func(format string, args ...any)) (*Cluster, error) {
	begin := time.Now()
	c := &Cluster{options: o, references: map[string]string{}, say: func(format string, args ...any) {
		say("%5.1f s  %s", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}}
	c.ending, c.end = context.WithCancel(context.Background())
	var err error
	if c.built, err = build(ctx, o, say); err != nil {
		return nil, err
	}
	begin = time.Now()
	ctx, cancel := context.WithTimeout(ctx, upLimit)
	defer cancel()
	ctx, c.fell = context.WithCancelCause(ctx)
	defer c.fell(nil)
	c.sandbox, err = sandbox.Start(ctx, sandbox.Options{
		Keep:    []string{c.built.cache},
		Pretend: tunables,
		OnEnd:   func(name, how string) { c.fell(fmt.Errorf("%s ended %s", name, how)) },
	})
	if err != nil {
		return nil, err
	}
	if err := c.up(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w (%w)", err, cause)
		}
		return nil, errors.Join(fmt.Errorf("bring a cluster up: %w\n%s", err, c.Logs(30)), c.Close())
	}
	c.say("up")
	return c, nil
}

// Close takes the cluster down. An error means that something is left.
func (c *Cluster) Close() error {
	c.end()
	c.work.Wait()
	if c.API != nil {
		c.API.client.CloseIdleConnections()
	}
	return c.sandbox.Close()
}

// Command is a program that sees the cluster's network (addresses of pods and Services)
// and no other, with KUBECONFIG set. It must be ended by the caller.
func (c *Cluster) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := c.sandbox.Command(ctx, name, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.path("admin.inside.kubeconfig"))
	return cmd
}

// Transport reaches addresses of pods and Services from this process.
func (c *Cluster) Transport() *http.Transport {
	return &http.Transport{DialContext: c.sandbox.Dial}
}

// Forward makes an address of the cluster's network, say a Service's 10.96.0.7:80, one
// of this machine's loopback, until Close.
func (c *Cluster) Forward(address string) (string, error) { return c.sandbox.Forward(address) }

// Logs are the last lines of each component's log.
func (c *Cluster) Logs(lines int) string {
	files, _ := filepath.Glob(c.path("log", "*.log"))
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			continue
		}
		rows := strings.Split(strings.TrimSpace(string(text)), "\n")
		rows = rows[max(0, len(rows)-lines):]
		fmt.Fprintf(&all, "--- %s\n%s\n", strings.TrimSuffix(filepath.Base(file), ".log"), strings.Join(rows, "\n"))
	}
	return all.String()
}

// up goes through the parts in the order in which they need each other.
func (c *Cluster) up(ctx context.Context) error {
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	c.say("API server ready")
	if c.options.Node {
		if err := c.startNode(ctx); err != nil {
			return err
		}
		c.say("node ready")
	}
	if c.options.Gateway {
		if err := c.startGateway(ctx); err != nil {
			return err
		}
	}
	return nil
}

// path is one below the sandbox's folder.
func (c *Cluster) path(names ...string) string {
	return filepath.Join(append([]string{c.sandbox.Dir}, names...)...)
}

// write puts a file there, with its folder.
func (c *Cluster) write(name string, content []byte) error {
	path := c.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// LogDir is where the components' logs are, until Close.
func (c *Cluster) LogDir() string { return c.path("log") }

// Sandbox says what the cluster lives in, as it is seen from outside: its first process,
// its folder and its control groups.
func (c *Cluster) Sandbox() (pid int, dir, cgroup string) {
	return c.sandbox.Pid(), c.sandbox.Dir, c.sandbox.Cgroup
}
