package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
)

// check looks at everything after a round, and returns what is wrong.
func (c *campaign) check(ctx context.Context, flights []*flight) []string {
	var faults []string
	for _, f := range flights {
		switch {
		case f.err != nil:
			faults = append(faults, f.err.Error())
		case f.detail.State != ends[f.outcome]:
			faults = append(faults, fmt.Sprintf("%s %s should be %s, but it is %s: %s", f.service.name, f.version, ends[f.outcome], f.detail.State, f.detail.Headline))
		}
		if f.detail.ID == "" {
			continue
		}
		c.comeHome(f)
		faults = append(faults, c.checkLedger(ctx, f)...)
		faults = append(faults, c.checkTold(ctx, f)...)
		faults = append(faults, checkDrill(f)...)
		faults = append(faults, c.checkEffects(f)...)
		faults = append(faults, c.checkMessages(ctx, f)...)
	}
	faults = append(faults, c.checkHomes(ctx)...)
	faults = append(faults, c.checkInjuries(ctx)...)
	faults = append(faults, c.checkFences()...)
	if c.traffic != nil {
		faults = append(faults, c.traffic.faults()...)
		faults = append(faults, c.sampler.take()...)
	}
	return faults
}

// comeHome notes who should be at home after the release.
func (c *campaign) comeHome(f *flight) {
	for i, p := range f.service.places {
		last := i == len(f.service.places)-1
		if f.outcome == deadSoon || last && f.outcome != good {
			continue
		}
		env := f.detail.Plan.Environment(p.name)
		c.homes[f.service.target(p).String()] = home{f.detail.ID, f.detail.Plan.Revision(env)}
	}
}

// checkLedger looks that the chain is whole, that nothing happened twice, and that
// the release took the steps that it takes undisturbed.
func (c *campaign) checkLedger(ctx context.Context, f *flight) []string {
	what := f.service.name + " " + f.version
	proof, err := persist(ctx, func() (client.Verification, error) { return c.api.Verify(ctx, f.detail.ID) })
	if err != nil || !proof.OK {
		return []string{fmt.Sprintf("the ledger of %s is broken: %s (%v)", what, proof.Broken, err)}
	}
	page, err := persist(ctx, func() (client.Page[client.Event], error) { return c.api.Events(ctx, f.detail.ID, 0, 500) })
	if err != nil {
		return []string{fmt.Sprintf("the events of %s: %v", what, err)}
	}
	f.events = page.Items
	var faults, steps []string
	seen := map[string]bool{}
	for i, e := range f.events {
		if e.Seq != int64(i+1) {
			faults = append(faults, fmt.Sprintf("line %d of %s has the number %d", i+1, what, e.Seq))
		}
		kind, _, _ := strings.Cut(e.Kind, ".")
		if kind != "stage" && kind != "environment" && kind != "release" {
			continue
		}
		step := strings.TrimRight(e.Kind+" "+e.Environment+" "+e.Stage, " ")
		if seen[step] {
			faults = append(faults, fmt.Sprintf("%s: %q happened twice", what, step))
		}
		seen[step] = true
		steps = append(steps, step)
	}
	key := f.service.name + " " + string(f.outcome)
	if known, ok := c.steps[key]; !ok {
		c.steps[key] = steps
	} else if !slices.Equal(known, steps) {
		faults = append(faults, fmt.Sprintf("%s took other steps than undisturbed:\n  %s\nundisturbed:\n  %s", what, strings.Join(steps, "\n  "), strings.Join(known, "\n  ")))
	}
	return faults
}

// checkEffects looks that every job did its work once, whoever was killed meanwhile,
// and that where the release went back it was undone once, when it had ended.
func (c *campaign) checkEffects(f *flight) []string {
	text, err := os.ReadFile(c.path("effects"))
	if err != nil && !os.IsNotExist(err) {
		return []string{err.Error()}
	}
	var faults []string
	for _, p := range f.service.places {
		var done []string
		for line := range strings.Lines(string(text)) {
			if w := strings.Fields(line); len(w) == 3 && w[1] == f.detail.ID && w[2] == p.name {
				done = append(done, w[0])
			}
		}
		if want := f.effects(p); !slices.Equal(done, want) {
			faults = append(faults, fmt.Sprintf("the job of %s %s in %s did %q, not %q", f.service.name, f.version, p.name, done, want))
		}
	}
	return faults
}

// effects are those that the job must have had in the environment, by the ledger.
func (f *flight) effects(p place) (want []string) {
	for _, e := range f.events {
		if e.Environment != p.name || e.Stage != "migrate" {
			continue
		}
		switch e.Kind {
		case "stage.passed":
			want = append(want, "do-begins", "do")
		case "stage.undone":
			want = append(want, "undo-begins", "undo")
		}
	}
	return want
}

// checkMessages looks that the notification came, as one message.
func (c *campaign) checkMessages(ctx context.Context, f *flight) []string {
	want := 0
	if f.service.notifies && (f.outcome == good || f.outcome == recalled) {
		want = 1
	}
	err := until(ctx, 15*time.Second, "the notification has come", func() (bool, error) {
		return c.hooks.messages(f.detail.ID) >= want, nil
	})
	if n := c.hooks.messages(f.detail.ID); err != nil || n != want {
		return []string{fmt.Sprintf("%s %s sent %d different messages, not %d", f.service.name, f.version, n, want)}
	}
	return nil
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
	// What a killed worker was starting gives way by itself, but not in no time.
	var left string
	_ = until(ctx, 3*time.Second, "", func() (bool, error) {
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

// checkDrill looks that a drill told its result, once, and nothing else did.
func checkDrill(f *flight) []string {
	var told, said []string
	for _, e := range f.events {
		if strings.HasPrefix(e.Kind, "drill.") {
			told, said = append(told, e.Kind), append(said, e.Text)
		}
	}
	var want []string
	if f.outcome == drilled {
		want = []string{"drill.noticed"}
	}
	if !slices.Equal(told, want) {
		return []string{fmt.Sprintf("%s %s told %q of a drill, not %q: %s; %s", f.service.name, f.version, told, want, f.detail.Headline, strings.Join(said, "; "))}
	}
	return nil
}

// checkInjuries looks that nobody's requests are harmed when all releases have ended.
func (c *campaign) checkInjuries(ctx context.Context) (faults []string) {
	table, err := c.rig.router.Table(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	for target, route := range table.Routes {
		for _, arm := range route.Arms {
			if arm.Fault != nil {
				faults = append(faults, fmt.Sprintf("the router still does %+v to revision %s of %s", *arm.Fault, arm.Revision, target))
			}
		}
	}
	return faults
}

// checkFences looks that each target's leases have growing fences, and that no
// verb was done with a fence older than one that was done before.
func (c *campaign) checkFences() []string {
	lines, err := c.readTrace()
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	leased, used := map[string]int64{}, map[string]int64{}
	for _, l := range lines {
		switch {
		case l[2] == "lease" && len(l) == 5:
			fence, _ := strconv.ParseInt(l[4], 10, 64)
			if fence <= leased[l[3]] {
				faults = append(faults, fmt.Sprintf("%s was leased with fence %d after %d", l[3], fence, leased[l[3]]))
			}
			leased[l[3]] = fence
		case l[2] == "verb" && len(l) == 8 && l[6] == "ok":
			fence, _ := strconv.ParseInt(l[5], 10, 64)
			if fence < used[l[4]] {
				faults = append(faults, fmt.Sprintf("%s of %s was done with fence %d after %d", l[3], l[4], fence, used[l[4]]))
			}
			used[l[4]] = max(fence, used[l[4]])
		}
	}
	return faults
}

// readTrace returns the words of the points that were passed: time, process, what….
func (c *campaign) readTrace() ([][]string, error) {
	text, err := os.ReadFile(c.path("trace"))
	var lines [][]string
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 3 {
			lines = append(lines, words)
		}
	}
	return lines, err
}

// brief is a target's state in a line.
func brief(s platform.State) string {
	words := []string{"home " + s.Home, fmt.Sprint("weights ", s.Weights)}
	for _, r := range s.Revisions {
		words = append(words, fmt.Sprintf("%s (%s): %d of %d ready", r.Revision.ID, r.Revision.Version, r.Ready(), len(r.Instances)))
	}
	return strings.Join(words, "; ")
}
