//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/test/cluster"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

const (
	docs   = "../../docs/"
	guided = "../../examples/kubernetes.yaml"
)

// What the guide says about a worker of its own, done as it stands there: its role, its
// Deployment, its Secret and its definition bring a release home. Of the guide's texts only
// the server's address is changed, which has no TLS here, and names that no DNS knows are
// told to the pod.
func TestAWorkerInTheClusterAsTheGuideHasIt(t *testing.T) {
	cluster.Need(t, cluster.Options{Node: true, Gateway: true})
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("there is no prometheus on this machine; it is in the Debian package prometheus")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "fairway")
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", binary, "github.com/fairwayhq/fairway/cmd/fairway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r, err := rig.Up(ctx, rig.Options{Versions: []rig.Version{rig.Calm1, rig.Calm2}, Scrape: 5 * time.Second, Say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	team, err := open(ctx, r, rig.TeamOptions{Name: "shop", First: rig.Calm1, Autoscaled: true})
	if err != nil {
		t.Fatal(err)
	}
	g := &guide{t: t, Rig: r, binary: binary, dir: t.TempDir()}
	defer g.stop()
	g.startServer(ctx)
	g.startWorker(ctx)
	end := g.ship(ctx, rig.Calm2)
	if end.State != pipeline.RunSucceeded {
		t.Fatalf("the release is %s: %s", end.State, end.Headline)
	}
	home, err := team.Home(ctx)
	if err != nil || home.Image != g.image(rig.Calm2) {
		t.Errorf("at home is %s, and not %s: %v", home.Image, g.image(rig.Calm2), err)
	}
	if names, err := team.Deployments(ctx); err != nil || len(names) != 1 {
		t.Errorf("in the end there are the Deployments %v: %v", names, err)
	}
	if n := g.restarts(ctx); n != 0 {
		t.Errorf("the worker was started anew %d times", n)
	}
}

// guide is a server within the cluster's network, and a worker as a pod.
type guide struct {
	*rig.Rig
	t           *testing.T
	binary, dir string
	server      *exec.Cmd
	said        bytes.Buffer
	env         []string // of a person's command line
}

// startServer starts it where pods reach it, since they reach nothing outside.
func (g *guide) startServer(ctx context.Context) {
	g.t.Helper()
	address := net.JoinHostPort(g.nodeAddress(ctx), "7090")
	g.server = g.Cluster.Command(ctx, g.binary, "server", "--data-dir", g.dir, "--listen", address, "--no-worker")
	g.server.Stdout, g.server.Stderr = &g.said, &g.said
	if err := g.server.Start(); err != nil {
		g.t.Fatal(err)
	}
	outside, err := g.Cluster.Forward(address)
	if err != nil {
		g.t.Fatal(err)
	}
	var token []byte
	g.until(ctx, "the server has begun", func() error {
		token, err = os.ReadFile(filepath.Join(g.dir, "admin-token"))
		return err
	})
	g.env = append(os.Environ(), "FAIRWAY_SERVER=http://"+outside, "FAIRWAY_DATA_DIR="+g.dir)
	if g.API, err = client.New(client.Config{URL: "http://" + outside, Token: strings.TrimSpace(string(token))}); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guide) stop() {
	if g.server != nil && g.server.Process != nil {
		_ = g.server.Process.Kill()
		_ = g.server.Wait()
	}
	if g.t.Failed() {
		g.t.Logf("--- server\n%s", g.said.String())
	}
}

// startWorker does what stands under "A worker of its own".
func (g *guide) startWorker(ctx context.Context) {
	g.t.Helper()
	text := g.read(docs + "kubernetes.md")
	if err := g.Cluster.Load(ctx, cluster.Image{Name: "registry.example.com/fairway:1", Binary: g.binary}); err != nil {
		g.t.Fatal(err)
	}
	g.apply(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: fairway}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: fairway-worker, namespace: fairway}\n")
	g.apply(ctx, g.read(docs+"kubernetes-role.yaml"))
	add, ok := between(text, "\nfairway token add ", "   #")
	if !ok {
		g.t.Fatal("the guide makes no token for a worker")
	}
	out := g.run(ctx, append([]string{"token", "add", "--output", "json"}, strings.Fields(add)...)...)
	var made struct{ Secret string }
	if err := json.Unmarshal(out, &made); err != nil || made.Secret == "" {
		g.t.Fatalf("%s gives no token: %v", out, err)
	}
	g.apply(ctx, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: worker, namespace: fairway}\nstringData: {token: %q}\n", made.Secret))
	inside, ok := between(text, "```yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: worker", "```\n")
	if !ok {
		g.t.Fatal("the guide has no Deployment of a worker")
	}
	inside = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: worker" + inside
	address := g.nodeAddress(ctx)
	g.apply(ctx, strings.NewReplacer(
		"https://fairway.example.com", "http://fairway.example.com:7090",
		"--token-file=", "--plain-http, --token-file=",
		"      serviceAccountName:", "      hostAliases: [{ip: "+address+", hostnames: [fairway.example.com, prometheus.monitoring]}]\n      serviceAccountName:",
	).Replace(inside))
}

// ship ships as the guide does, with its definition, and waits for the end.
func (g *guide) ship(ctx context.Context, v rig.Version) (last client.ReleaseDetail) {
	g.t.Helper()
	out := g.run(ctx, "ship", "--file", guided, "--artifact", g.image(v), "--version", v.Name, "--output", "json")
	var made client.Release
	if err := json.Unmarshal(out, &made); err != nil {
		g.t.Fatalf("%s: %v", out, err)
	}
	err := g.API.Live(ctx, made.ID, "", client.Listener{Release: func(d client.ReleaseDetail) error {
		if last.Headline != d.Headline {
			g.t.Log(d.Headline)
		}
		last = d
		if d.State.Final() {
			return client.ErrStop
		}
		return nil
	}})
	if err != nil {
		g.t.Fatalf("%s: %v", last.Headline, err)
	}
	return last
}

func (g *guide) image(v rig.Version) string { return g.Cluster.Reference(v.Image()) }

// restarts are those of the worker's pod.
func (g *guide) restarts(ctx context.Context) (n int) {
	g.t.Helper()
	var pods struct {
		Items []struct {
			Status struct {
				ContainerStatuses []struct{ RestartCount int }
			}
		}
	}
	if err := g.Cluster.API.Get(ctx, "/api/v1/namespaces/fairway/pods", &pods); err != nil || len(pods.Items) != 1 {
		g.t.Fatalf("the worker has the pods %+v: %v", pods.Items, err)
	}
	for _, c := range pods.Items[0].Status.ContainerStatuses {
		n += c.RestartCount
	}
	return n
}

func (g *guide) nodeAddress(ctx context.Context) string {
	g.t.Helper()
	var nodes struct {
		Items []struct {
			Status struct {
				Addresses []struct{ Type, Address string }
			}
		}
	}
	if err := g.Cluster.API.Get(ctx, "/api/v1/nodes", &nodes); err != nil {
		g.t.Fatal(err)
	}
	for _, a := range nodes.Items[0].Status.Addresses {
		if a.Type == "InternalIP" {
			return a.Address
		}
	}
	g.t.Fatal("the node has no address")
	return ""
}

func (g *guide) run(ctx context.Context, args ...string) []byte {
	g.t.Helper()
	cmd := exec.CommandContext(ctx, g.binary, args...)
	cmd.Env = g.env
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("fairway %s: %v: %s", strings.Join(args, " "), err, said.String())
	}
	return out
}

func (g *guide) apply(ctx context.Context, manifests string) {
	g.t.Helper()
	if err := g.Cluster.API.Apply(ctx, manifests); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guide) read(path string) string {
	g.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
}

// until tries something until it succeeds.
func (g *guide) until(ctx context.Context, what string, try func() error) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return
		}
		if process.Wait(ctx, 100*time.Millisecond) != nil {
			g.t.Fatalf("it does not come to it that %s: %v", what, err)
		}
	}
}

// between is what stands behind one text and before another.
func between(text, from, to string) (string, bool) {
	_, rest, found := strings.Cut(text, from)
	inner, _, ends := strings.Cut(rest, to)
	return inner, found && ends
}
