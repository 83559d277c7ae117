//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/test/cluster"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
	"github.com/fairwayhq/fairway/test/postgres"
)

// The servers of deploy/kubernetes, as they stand there, on a real PostgreSQL: the namespace's
// policy lets them in, the Job makes the tables, both answer behind their Service, and while
// they are replaced by another image somebody always answers. Only the image is the test's.
func TestTheServersOfTheManifestsShareADatabaseAndAreReplaced(t *testing.T) {
	cluster.Need(t, cluster.Options{Node: true})
	if why := postgres.Missing(); why != "" {
		t.Skip(why)
	}
	c := cluster.Start(t, cluster.Options{Node: true})
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	g := &guide{t: t, Rig: &rig.Rig{Cluster: c}, binary: filepath.Join(t.TempDir(), "fairway")}
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", g.binary, "github.com/fairwayhq/fairway/cmd/fairway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const image = "registry.example.com/fairway:"
	if err := c.Load(ctx, cluster.Image{Name: image + "1", Binary: g.binary}, cluster.Image{Name: image + "2", Binary: g.binary}); err != nil {
		t.Fatal(err)
	}
	database := g.database(ctx)
	g.apply(ctx, g.read(manifests+"namespace.yaml"))
	for _, name := range []string{"database", "owner"} {
		g.apply(ctx, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: fairway}\nstringData: {url: %q}\n", name, database))
	}
	of := func(file, version string) string {
		return strings.ReplaceAll(g.read(manifests+file), "image: fairway\n", "image: "+image+version+"\n")
	}
	g.apply(ctx, of("migrate/job.yaml", "1"))
	var job struct {
		Status struct{ Conditions []cluster.Condition }
	}
	g.await(ctx, "/apis/batch/v1/namespaces/fairway/jobs/migrate", &job, func() bool { return cluster.IsTrue(job.Status.Conditions, "Complete") })

	g.apply(ctx, of("server.yaml", "1"))
	g.rolled(ctx)
	g.reach(ctx)
	made, err := g.API.AddToken(ctx, client.NewToken{Name: "cluster", Worker: true, Environments: []string{"production"}})
	if err != nil || made.Secret == "" {
		t.Fatalf("the servers make no token: %v", err)
	}

	asked, stop := context.WithCancel(ctx)
	defer stop()
	answers, failed := 0, make(chan error, 1)
	go func() {
		defer close(failed)
		for ; asked.Err() == nil; time.Sleep(20 * time.Millisecond) {
			if _, err := g.API.Me(asked); err != nil && asked.Err() == nil {
				failed <- err
				return
			}
			answers++
		}
	}()
	g.apply(ctx, of("server.yaml", "2"))
	g.rolled(ctx)
	stop()
	if err := <-failed; err != nil || answers == 0 {
		t.Errorf("while the servers were replaced %d requests were answered, and then: %v", answers, err)
	}
	for _, p := range g.serverPods(ctx) {
		if p.Spec.Containers[0].Image != image+"2" {
			t.Errorf("%s still has the image %s", p.Metadata.Name, p.Spec.Containers[0].Image)
		}
	}
	if _, err := g.API.Me(ctx); err != nil {
		t.Errorf("the servers that came after do not know who asks: %v", err)
	}
}

// database starts a PostgreSQL with an empty database where pods reach it, and returns its URL.
func (g *guide) database(ctx context.Context) string {
	g.t.Helper()
	dir, err := os.MkdirTemp("", "fairway-postgres-") // not below the test's own, which only root may enter
	if err != nil {
		g.t.Fatal(err)
	}
	made, err := postgres.Start(dir, "fsync=off")
	if err == nil {
		_, err = made.Create("fairway")
		made.Stop()
	}
	if err != nil {
		g.t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	data := filepath.Join(dir, "data")
	access, err := os.OpenFile(filepath.Join(data, "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = access.WriteString("\nhost all all all trust\n")
		err = errors.Join(err, access.Close())
	}
	folder, statErr := os.Stat(data)
	if err := errors.Join(err, statErr); err != nil {
		g.t.Fatal(err)
	}
	owner := folder.Sys().(*syscall.Stat_t)
	program, err := postgres.Program("postgres")
	if err != nil {
		g.t.Fatal(err)
	}
	host := g.nodeAddress(ctx)
	cmd := g.Cluster.Command(ctx, "setpriv", fmt.Sprint("--reuid=", owner.Uid), fmt.Sprint("--regid=", owner.Gid), "--clear-groups", program,
		"-D", data, "-p", "5433", "-c", "listen_addresses="+host, "-c", "unix_socket_directories=", "-c", "fsync=off")
	var said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
		if g.t.Failed() {
			g.t.Logf("--- PostgreSQL\n%s", said.String())
		}
		if err := os.RemoveAll(dir); err != nil {
			g.t.Error(err)
		}
	})
	return "postgres://fairway@" + net.JoinHostPort(host, "5433") + "/fairway?sslmode=disable"
}

// rolled waits until the servers are those of the last apply, and no other is left.
func (g *guide) rolled(ctx context.Context) {
	g.t.Helper()
	var d struct {
		Metadata struct{ Generation int }
		Status   struct{ ObservedGeneration, Replicas, UpdatedReplicas, AvailableReplicas int }
	}
	g.await(ctx, "/apis/apps/v1/namespaces/fairway/deployments/server", &d, func() bool {
		s := d.Status
		return s.ObservedGeneration == d.Metadata.Generation && s.Replicas == 2 && s.UpdatedReplicas == 2 && s.AvailableReplicas == 2
	})
	// A Deployment does not count those that are about to end.
	var pods struct{ Items []serverPod }
	g.await(ctx, serverPods, &pods, func() bool { return len(pods.Items) == 2 })
}

func (g *guide) await(ctx context.Context, path string, into any, so func() bool) {
	g.t.Helper()
	limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := g.Cluster.API.Until(limited, path, into, so); err != nil {
		g.t.Fatalf("%v\n%s", err, g.told(ctx))
	}
}

// reach becomes the admin of the servers, behind their Service: one pod's log shows the token.
func (g *guide) reach(ctx context.Context) {
	g.t.Helper()
	token := ""
	for _, p := range g.serverPods(ctx) {
		_, dir, _ := g.Cluster.Sandbox()
		logs, err := filepath.Glob(filepath.Join(dir, "pods", "fairway_"+p.Metadata.Name+"_"+p.Metadata.UID, "server", "*.log"))
		if err != nil || len(logs) != 1 {
			g.t.Fatalf("%s has the logs %v: %v", p.Metadata.Name, logs, err)
		}
		if _, after, ok := strings.Cut(g.read(logs[0]), "First start"); ok {
			lines := strings.Split(after, "\n")
			words := strings.Fields(lines[2]) // time, stream, F, token
			token = words[len(words)-1]
		}
	}
	if token == "" {
		g.t.Fatal("no server shows the admin's token")
	}
	var service struct{ Spec struct{ ClusterIP string } }
	if err := g.Cluster.API.Get(ctx, "/api/v1/namespaces/fairway/services/server", &service); err != nil {
		g.t.Fatal(err)
	}
	transport := g.Cluster.Transport()
	transport.DisableKeepAlives = true // so that each request finds the servers that are there
	var err error
	g.API, err = client.New(client.Config{URL: "http://" + service.Spec.ClusterIP, Token: token, HTTP: &http.Client{Transport: transport}})
	if err != nil {
		g.t.Fatal(err)
	}
}

var serverPods = "/api/v1/namespaces/fairway/pods?labelSelector=" + url.QueryEscape("app=fairway-server")

type serverPod struct {
	Metadata struct{ Name, UID string }
	Spec     struct{ Containers []struct{ Image string } }
}

func (g *guide) serverPods(ctx context.Context) []serverPod {
	g.t.Helper()
	var pods struct{ Items []serverPod }
	err := g.Cluster.API.Get(ctx, serverPods, &pods)
	if err != nil || len(pods.Items) != 2 {
		g.t.Fatalf("there are the servers %+v: %v", pods.Items, err)
	}
	return pods.Items
}
