//go:build linux

package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/cluster"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

// The short form of what the command tries: a team that has never heard of Fairway ships a
// bad version. It goes back, no request fails but by its fault, and the home is as it was.
func TestABadVersionGoesBackAndTheHomeIsAsItWas(t *testing.T) {
	cluster.Need(t, cluster.Options{Node: true, Gateway: true})
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("there is no prometheus on this machine; it is in the Debian package prometheus")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "fairway")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/fairwayhq/fairway/cmd/fairway").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// It has no errors but by its fault, which all of its answers have.
	bad := rig.Version{Name: "v3", Flags: "-X main.tail=0 -X main.version=v3 -X main.baseErrorRate=0 -X main.errorRate=1"}
	r, err := rig.Up(ctx, rig.Options{Fairway: binary, Versions: []rig.Version{rig.Calm1, bad}, Say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Log(r.Logs())
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	team, err := open(ctx, r, rig.TeamOptions{Name: "shop", First: rig.Calm1, Autoscaled: true})
	if err != nil {
		t.Fatal(err)
	}
	before, err := team.Home(ctx)
	if err != nil {
		t.Fatal(err)
	}
	release, err := team.Ship(ctx, bad)
	if err != nil {
		t.Fatal(err)
	}
	d, err := end(ctx, release)
	if err != nil {
		t.Fatal(err)
	}
	if d.State != pipeline.RunRolledBack {
		t.Fatalf("the bad version is %s: %s", d.State, d.Headline)
	}
	after, err := team.Home(ctx)
	if err != nil || after != before {
		t.Errorf("the home was %+v and is %+v: %v", before, after, err)
	}
	answers := team.Traffic.Since(time.Time{})
	for _, a := range answers {
		if a.Failed() && !a.Fault {
			t.Errorf("a request of %s failed: %+v", a.Due.Format(time.TimeOnly), a)
		}
	}
	if n := rig.Count(answers, func(a rig.Answer) bool { return a.Fault }); n == 0 || n > 100 {
		t.Errorf("%d of %d answers were bad", n, len(answers))
	}
	for _, wrong := range team.Route.TakeWrong() {
		t.Error(wrong)
	}
	deployments, err := team.Deployments(ctx)
	if err != nil || len(deployments) != 1 {
		t.Errorf("in the end there are the Deployments %v: %v", deployments, err)
	}
}
