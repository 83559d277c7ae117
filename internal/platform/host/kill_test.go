package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
	"github.com/fairwayhq/fairway/internal/router"
)

// job is what a worker that is going to be killed has to do.
type job struct {
	Dir, Exec string
	Lease     platform.Lease
	V1, V2    platform.Revision
}

// worker is the process that is killed: it does the job in its file.
func worker(args []string) error {
	raw, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal(raw, &j); err != nil {
		return err
	}
	p, err := host.New(host.Config{
		StateDir: filepath.Join(j.Dir, "host"), Router: router.NewClient(filepath.Join(j.Dir, "router")),
		ExecCommand: []string{os.Args[0], j.Exec}, Interval: 20 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	go p.Keep(context.Background())
	return j.do(p)
}

// do replaces v1 by v2, from whatever point it finds.
func (j job) do(p *host.Platform) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s, err := p.Observe(ctx, shop)
	if err != nil {
		return err
	}
	if s.Home != j.V2.ID {
		if err := j.bring(ctx, p, j.V1); err != nil {
			return err
		}
	}
	if err := j.bring(ctx, p, j.V2); err != nil {
		return err
	}
	return p.Retire(ctx, j.Lease, shop, j.V1.ID)
}

func (j job) bring(ctx context.Context, p *host.Platform, v platform.Revision) error {
	if err := p.Place(ctx, j.Lease, shop, v, platform.Capacity{Instances: 2}); err != nil {
		return err
	}
	for {
		s, err := p.Observe(ctx, shop)
		if err != nil {
			return err
		}
		state, _ := s.Revision(v.ID)
		if state.Ready() == 2 {
			return p.Route(ctx, j.Lease, shop, platform.Weights{v.ID: platform.Whole})
		}
		for _, i := range state.Instances {
			if i.Failed {
				return errors.New(i.Message)
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestAWorkerMayBeKilledAtAnyPoint(t *testing.T) {
	after := func(d time.Duration) func(*rig) bool {
		begin := time.Now()
		return func(*rig) bool { return time.Since(begin) > d }
	}
	exists := func(pattern string) func(*rig) bool {
		return func(r *rig) bool {
			found, _ := filepath.Glob(filepath.Join(r.dir, "host", pattern))
			return len(found) > 0
		}
	}
	slot := "targets/*/revisions/*/instances/*/"
	type kill struct {
		at   string
		exec string
		when func() func(*rig) bool
	}
	kills := []kill{
		{"the choice of a port", "slow-host-exec", func() func(*rig) bool { return exists("ports.json") }},
		{"the fork", "slow-host-exec", func() func(*rig) bool { return func(r *rig) bool { return len(r.processes()) > 0 } }},
		{"both forks", "slow-host-exec", func() func(*rig) bool { return func(r *rig) bool { return len(r.processes()) > 1 } }},
		{"the lock", "host-exec", func() func(*rig) bool { return exists(slot + "record.json.lock") }},
		{"the record", "host-exec", func() func(*rig) bool { return exists(slot + "record.json") }},
		{"readiness", "host-exec", func() func(*rig) bool { return exists(slot + "status.json") }},
		{"the artifact", "host-exec", func() func(*rig) bool { return exists("artifacts/*") }},
		{"the spec", "host-exec", func() func(*rig) bool { return exists("targets/*/revisions/*/revision.json") }},
	}
	for ms := 30; ms <= 330; ms += 25 {
		kills = append(kills, kill{fmt.Sprintf("%d ms", ms), "host-exec", func() func(*rig) bool { return after(time.Duration(ms) * time.Millisecond) }})
	}
	for _, k := range kills {
		t.Run("after "+k.at, func(t *testing.T) {
			r := newRig(t)
			j := job{Dir: r.dir, Exec: k.exec, Lease: r.lease, V1: r.revision("v1", "ok"), V2: r.revision("v2", "ok")}
			r.killWorker(j, k.when())
			j.Lease.Fence++
			r.lease = j.Lease
			if err := retried(func() error { return j.do(r.Platform) }); err != nil {
				t.Fatal(err)
			}
			r.wholeAndAlone(j.V2.ID)
		})
	}
}

// retried repeats what a dead worker's child may still stand in the way of.
func retried(do func() error) error {
	var err error
	for range 5 {
		if err = do(); fault.CodeOf(err) != fault.Unavailable {
			return err
		}
	}
	return err
}

// killWorker starts a worker on the job and kills it when the condition holds, or lets it finish.
func (r *rig) killWorker(j job, when func(*rig) bool) {
	r.t.Helper()
	raw, err := json.Marshal(j)
	if err != nil {
		r.t.Fatal(err)
	}
	path := filepath.Join(r.dir, "job.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "worker", path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for !when(r) {
		select {
		case err := <-done:
			if err != nil {
				r.t.Fatalf("the worker failed before it was killed: %v", err)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
	_ = cmd.Process.Kill()
	<-done
}

// wholeAndAlone expects the revision with two ready instances and all traffic,
// and no process of the rig that nobody knows.
func (r *rig) wholeAndAlone(id string) {
	r.t.Helper()
	s := r.observe()
	state, _ := s.Revision(id)
	if len(s.Revisions) != 1 || state.Ready() != 2 || s.Weights[id] != platform.Whole || s.Home != id {
		r.t.Errorf("the target is %+v", s)
	}
	var known []int
	for _, f := range r.records() {
		known = append(known, f.PID)
	}
	slices.Sort(known)
	eventually(r.t, 5*time.Second, fmt.Sprintf("only %v run", known), func() bool { return slices.Equal(known, r.processes()) })
	if status, body, err := r.get("/"); err != nil || status != 200 || body != id {
		r.t.Errorf("through the router: %d %q %v", status, body, err)
	}
}

// processes are those whose working folder lies in the rig, once they have become the service.
func (r *rig) processes() (found []int) {
	if _, err := os.Stat("/proc/self/cwd"); err != nil {
		r.t.Skip("which processes run can only be told with /proc")
	}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		if err == nil && strings.HasPrefix(cwd, r.dir+"/host/") && running(pid) {
			found = append(found, pid)
		}
	}
	slices.Sort(found)
	return found
}
