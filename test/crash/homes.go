package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
)

// comeHome notes who should be at home after the release.
func (c *campaign) comeHome(f *flight) {
	for _, s := range f.services() {
		for _, p := range s.places {
			if f.outcome == deadSoon || p == s.last() && f.end() != pipeline.RunSucceeded {
				continue
			}
			entry := f.detail.Plan.At(s.name, p.name)
			c.homes[s.target(p).String()] = home{f.detail.ID, f.detail.Plan.Revision(entry)}
		}
	}
}

// checkHomes looks that the server, the router, the platform and the process
// table agree on who is at home, and that nothing else is left.
func (c *campaign) checkHomes(ctx context.Context) []string {
	world, err := host.New(host.Config{StateDir: c.path("worker", "host"), Router: c.router})
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	for _, s := range c.fleet {
		known, err := persist(ctx, func() (client.Service, error) { return c.api.Service(ctx, s.name) })
		if err != nil {
			return append(faults, err.Error())
		}
		for _, p := range s.places {
			target := s.target(p)
			want := c.homes[target.String()]
			i := slices.IndexFunc(known.Environments, func(e client.ServiceEnvironment) bool { return e.Name == p.name })
			if i < 0 || known.Environments[i].Home != want.release {
				faults = append(faults, fmt.Sprintf("the server does not have release %s at home on %s: %+v", want.release, target, known.Environments))
			} else if e := known.Environments[i]; e.Moving != "" || len(e.Queue) > 0 {
				faults = append(faults, fmt.Sprintf("the lane of %s is not free: %+v", target, e))
			}
			state, err := world.Observe(ctx, target)
			if err != nil {
				faults = append(faults, err.Error())
				continue
			}
			if wrong := notAlone(state, want.revision, p.instances); wrong != "" {
				faults = append(faults, fmt.Sprintf("%s: %s: %s", target, wrong, brief(state)))
			}
		}
	}
	// What a killed worker was starting gives way by itself, but not in no time, and on a busy
	// machine not soon.
	var left string
	_ = until(ctx, 20*time.Second, "", func() (bool, error) {
		left = c.strayProcesses() + c.strayCommands()
		return left == "", nil
	})
	if left != "" {
		faults = append(faults, left)
	}
	return faults
}

// notAlone says what is wrong on a target that should have only its home, ready.
func notAlone(s platform.State, revision string, instances int) string {
	switch {
	case s.Home != revision:
		return "another revision is at home than " + revision
	case len(s.Weights) != 1 || s.Weights[revision] != platform.Whole:
		return "the home has not all the traffic"
	case len(s.Revisions) != 1:
		return "another revision is still there"
	case s.Revisions[0].Ready() != instances || len(s.Revisions[0].Instances) != instances:
		return fmt.Sprintf("not exactly %d instances are ready", instances)
	}
	return ""
}

// strayProcesses compares the process table with what should run.
func (c *campaign) strayProcesses() string {
	home := c.path("worker", "host")
	count := map[string]int{}
	for work, n := range serviceProcesses(home) {
		target, revision := splitWork(home, work)
		if c.homes[target].revision != revision {
			return fmt.Sprintf("%d processes of revision %s still run on %s, where %s is at home", n, revision, target, c.homes[target].revision)
		}
		count[target] += n
	}
	for _, s := range c.fleet {
		for _, p := range s.places {
			if target := s.target(p).String(); count[target] != p.instances {
				return fmt.Sprintf("%d processes run on %s, not %d", count[target], target, p.instances)
			}
		}
	}
	return ""
}

// strayCommands looks for commands of jobs and checks, and for who looks after them.
func (c *campaign) strayCommands() string {
	left := 0
	for _, pid := range pids() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.Contains(string(cmdline), c.path("worker", "commands")) || strings.Contains(string(cmdline), c.path("job.sh")) {
			left++
		}
	}
	if left == 0 {
		return ""
	}
	return fmt.Sprintf("%d processes of commands still run", left)
}

// brief is a target's state in a line.
func brief(s platform.State) string {
	words := []string{"home " + s.Home, fmt.Sprint("weights ", s.Weights)}
	for _, r := range s.Revisions {
		words = append(words, fmt.Sprintf("%s (%s): %d of %d ready", r.Revision.ID, r.Revision.Version, r.Ready(), len(r.Instances)))
	}
	return strings.Join(words, "; ")
}
