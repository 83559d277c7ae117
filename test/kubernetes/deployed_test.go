//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/test/cluster"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

const manifests = "../../deploy/kubernetes/"

// The workers of deploy/kubernetes, as they stand there: the namespace's policy lets them
// in, both reach their server, and a pod that is replaced has the name and the journal of
// the one before. Only the image, the server's address and, where no provisioner makes any,
// the volumes are the test's.
func TestAReplacedWorkerOfTheManifestsHasItsJournal(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Node: true})
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "fairway")
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", binary, "github.com/fairwayhq/fairway/cmd/fairway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	g := &guide{t: t, Rig: &rig.Rig{Cluster: c}, binary: binary, dir: t.TempDir()}
	defer g.stop()
	g.startServer(ctx)
	const image = "registry.example.com/fairway:1"
	if err := c.Load(ctx, cluster.Image{Name: image, Binary: binary}); err != nil {
		t.Fatal(err)
	}
	g.apply(ctx, g.read(manifests+"namespace.yaml"))
	volumes := g.volumes(ctx, "worker-0", "worker-1")
	var made struct{ Secret string }
	if err := json.Unmarshal(g.run(ctx, "token", "add", "--name", "cluster", "--worker", "--environment", "production", "--output", "json"), &made); err != nil {
		t.Fatal(err)
	}
	g.apply(ctx, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: worker, namespace: fairway}\nstringData: {token: %q}\n", made.Secret))
	g.apply(ctx, strings.NewReplacer("image: fairway\n", "image: "+image+"\n", "http://server\n", "http://"+g.nodeAddress(ctx)+":7090\n").
		Replace(g.read(manifests+"worker.yaml")))

	first := g.connected(ctx, "worker-0", "")
	g.connected(ctx, "worker-1", "")
	left := filepath.Join(volumes["worker-0"], "journal", "worker-worker-0", "left")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatalf("the worker has no journal in its volume: %v", err)
	}
	if err := c.API.Do(ctx, http.MethodDelete, workerPods+"worker-0", "", nil, nil); err != nil {
		t.Fatal(err)
	}
	g.connected(ctx, "worker-0", first)
	if _, err := os.Stat(left); err != nil {
		t.Errorf("the pod that was replaced took its journal with it: %v", err)
	}
	for name, folder := range volumes {
		journals, err := filepath.Glob(filepath.Join(folder, "journal", "*"))
		if want := filepath.Join(folder, "journal", "worker-"+name); err != nil || !slices.Equal(journals, []string{want}) {
			t.Errorf("in the volume of %s are the journals %v: %v", name, journals, err)
		}
	}
}

const workerPods = "/api/v1/namespaces/fairway/pods/"

// volumes makes one for each worker, and tells their folders.
func (g *guide) volumes(ctx context.Context, workers ...string) map[string]string {
	g.t.Helper()
	_, dir, _ := g.Cluster.Sandbox()
	folders := map[string]string{}
	for _, w := range workers {
		folders[w] = filepath.Join(dir, "volumes", w)
		if err := os.MkdirAll(folders[w], 0o755); err != nil {
			g.t.Fatal(err)
		}
		g.apply(ctx, fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: %[1]s}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  claimRef: {namespace: fairway, name: data-%[1]s}
  local: {path: %[2]q}
  nodeAffinity:
    required:
      nodeSelectorTerms:
      - matchExpressions: [{key: kubernetes.io/os, operator: In, values: [linux]}]
`, w, folders[w]))
	}
	return folders
}

// connected waits until a worker's pod, which is not the one with the former ID, has a
// server, and tells its ID.
func (g *guide) connected(ctx context.Context, pod, former string) string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var p struct {
		Metadata struct{ UID string }
		Status   struct {
			PodIP      string
			Phase      string
			Conditions []cluster.Condition
		}
	}
	if err := g.Cluster.API.Until(ctx, workerPods+pod, &p, func() bool {
		return p.Metadata.UID != former && p.Status.PodIP != "" && cluster.IsTrue(p.Status.Conditions, "Ready")
	}); err != nil {
		g.t.Fatalf("%v\n%s", err, g.told(ctx))
	}
	_, dir, _ := g.Cluster.Sandbox()
	logs := filepath.Join(dir, "pods", "fairway_"+pod+"_"+p.Metadata.UID, "worker", "*.log")
	g.until(ctx, pod+" reaches its server", func() error {
		files, err := filepath.Glob(logs)
		if err != nil || len(files) == 0 {
			return errors.Join(fmt.Errorf("it has no log %s", logs), err)
		}
		text, err := os.ReadFile(files[0])
		if err == nil && !strings.Contains(string(text), "The worker and its server understand each other.") {
			err = fmt.Errorf("it says\n%s", text)
		}
		return err
	})
	return p.Metadata.UID
}

// told is what the cluster has to say of the namespace.
func (g *guide) told(ctx context.Context) string {
	var events struct {
		Items []struct{ Reason, Message string }
	}
	// Without a limit of its own, since that of the one who waited is over.
	if err := g.Cluster.API.Get(context.WithoutCancel(ctx), "/api/v1/namespaces/fairway/events", &events); err != nil {
		return err.Error()
	}
	var all strings.Builder
	for _, e := range events.Items {
		fmt.Fprintf(&all, "%s: %s\n", e.Reason, e.Message)
	}
	return all.String()
}
