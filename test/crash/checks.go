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
)

// check looks at everything after a round, and returns what is wrong.
func (c *campaign) check(ctx context.Context, flights []*flight) []string {
	var faults []string
	for _, f := range flights {
		switch {
		case f.err != nil:
			faults = append(faults, f.err.Error())
		case f.detail.State != f.end():
			faults = append(faults, fmt.Sprintf("%s should be %s, but it is %s: %s", f, f.end(), f.detail.State, f.detail.Headline))
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

// checkLedger looks that the chain is whole, that nothing happened twice, and that
// the release took the steps that it takes undisturbed.
func (c *campaign) checkLedger(ctx context.Context, f *flight) []string {
	what := f.String()
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
		if e.Kind == "lane.queued" {
			c.queued++
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
	return append(faults, c.checkSteps(f, steps)...)
}

// checkSteps compares with the undisturbed release of the same kind, or keeps the steps of that.
func (c *campaign) checkSteps(f *flight, steps []string) []string {
	key := f.service.name + " " + string(f.outcome)
	known, ok := c.steps[key]
	switch {
	case ok && slices.Equal(known, steps):
		if c.seen {
			c.compared++
		}
		return nil
	case ok:
		return []string{fmt.Sprintf("%s took other steps than undisturbed:\n  %s\nundisturbed:\n  %s", f, strings.Join(steps, "\n  "), strings.Join(known, "\n  "))}
	case c.seen:
		return []string{fmt.Sprintf("%s can be compared with none: no such release was seen undisturbed", f)}
	}
	c.steps[key] = steps
	return nil
}

// checkEffects looks that every job did its work once, whoever was killed meanwhile,
// and that where the release went back it was undone once, when it had ended.
func (c *campaign) checkEffects(f *flight) []string {
	text, err := os.ReadFile(c.path("effects"))
	if err != nil && !os.IsNotExist(err) {
		return []string{err.Error()}
	}
	var faults []string
	for _, s := range f.services() {
		for _, p := range s.places {
			target := s.target(p).String()
			var done []string
			for line := range strings.Lines(string(text)) {
				if w := strings.Fields(line); len(w) == 3 && w[1] == f.detail.ID && w[2] == target {
					done = append(done, w[0])
				}
			}
			if want := f.effects(f.detail.Plan.At(s.name, p.name).Name); !slices.Equal(done, want) {
				faults = append(faults, fmt.Sprintf("the job of %s on %s did %q, not %q", f, target, done, want))
			}
		}
	}
	return faults
}

// effects are those that the job must have had in the plan's entry, by the ledger.
func (f *flight) effects(entry string) (want []string) {
	for _, e := range f.events {
		if e.Environment != entry || e.Stage != "migrate" {
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
	if f.service.notifies && (f.end() == pipeline.RunSucceeded || f.outcome == recalled) {
		want = 1
	}
	err := until(ctx, 15*time.Second, "the notification has come", func() (bool, error) {
		return c.hooks.messages(f.detail.ID) >= want, nil
	})
	if n := c.hooks.messages(f.detail.ID); err != nil || n != want {
		return []string{fmt.Sprintf("%s sent %d different messages, not %d", f, n, want)}
	}
	return nil
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
		return []string{fmt.Sprintf("%s told %q of a drill, not %q: %s; %s", f, told, want, f.detail.Headline, strings.Join(said, "; "))}
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
