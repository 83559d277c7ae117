package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/test/ports"
)

// outcome is how a release is made to end.
type outcome string

const (
	good     outcome = "good"
	bad      outcome = "bad"       // users get errors, or the check fails; it is taken back
	dead     outcome = "dead"      // it does not start in the last environment
	deadSoon outcome = "dead-soon" // it does not start in the first environment
	recalled outcome = "recalled"  // good, and a person takes it back afterwards
	drilled  outcome = "drilled"   // what is at home once more, with a fault that must be noticed
	badFirst outcome = "bad-first" // the service that it leads is bad, so it does not move itself
	queues   outcome = "queues"    // good, behind a release of the service that it leads alone
	rests    outcome = "rests"     // no release of it in this round
)

// ends are the states in which releases end.
var ends = map[outcome]pipeline.RunState{
	good: pipeline.RunSucceeded, bad: pipeline.RunRolledBack, dead: pipeline.RunFailed,
	deadSoon: pipeline.RunFailed, recalled: pipeline.RunRolledBack, drilled: pipeline.RunRolledBack,
	badFirst: pipeline.RunRolledBack, queues: pipeline.RunSucceeded,
}

// artifact is the built service.
type artifact struct{ path, digest string }

func readArtifact(path string) (artifact, error) {
	content, err := os.ReadFile(path)
	sum := sha256.Sum256(content)
	return artifact{path, "sha256:" + hex.EncodeToString(sum[:])}, err
}

// service is one service of the fleet, with what it is released with.
type service struct {
	name     string
	stages   map[string]string // by environment, as YAML
	places   []place
	outcomes []outcome // in this order, again and again
	with     *service  // goes first in all its releases; it stands behind it in the fleet
	rate     float64   // of users' requests in the last environment
	notifies bool
}

// place is an environment of a service.
type place struct {
	name, address string
	instances     int
}

func (s *service) target(p place) platform.Target {
	return platform.Target{Service: s.name, Environment: p.name}
}

func (s *service) last() place { return s.places[len(s.places)-1] }

// Stages as short as the judge allows, with margins so wide that neither a busy
// machine nor a kill can make a good release look bad. The canary is observed for long enough
// that one whose worker was killed, and that waited for the other one, is still decided.
const (
	canaryStage = `{canary: {margin: {errors: 20pp, latency: 1000%}, budget: 1000, block: 1s, warmUp: 1s, firstWeight: 20%, every: 1s, dwell: 1s, observation: 1m, minimumSamples: 20}}`
	watchStage  = `{watch: {for: 3s, holdback: 20%, margin: {errors: 20pp, latency: 1000%}, block: 1s, warmUp: 1s, minimumSamples: 20}}`
	jobStage    = `{name: migrate, job: {run: [SCRIPT, do], undo: [SCRIPT, undo]}}`
	checkStage  = `{check: {http: [/healthz], run: [SCRIPT, check], attempts: 2, every: 300ms}}`
	lookStage   = `{check: {http: [/healthz], attempts: 2, every: 300ms}}`
	tellStage   = `{notify: {webhook: "HOOK", message: "it is out"}}`
)

// newFleet makes the services: together they have every kind of stage that does
// something, and every way in which a release can end.
func newFleet(r *rig) ([]*service, error) {
	script := r.path("job.sh")
	if err := os.WriteFile(script, []byte(jobScript), 0o700); err != nil {
		return nil, err
	}
	bank := &service{
		name: "bank", rate: 30,
		stages:   map[string]string{"production": jobStage + "\n{promote: blue-green}\n" + checkStage},
		places:   []place{{"production", "", 1}},
		outcomes: []outcome{good},
	}
	fleet := []*service{
		{
			name: "till", rate: 70, notifies: true,
			stages: map[string]string{
				"staging":    jobStage + "\ndeploy\n" + lookStage,
				"production": jobStage + "\n" + canaryStage + "\n" + watchStage + "\npromote\n" + tellStage,
			},
			places:   []place{{"staging", "", 1}, {"production", "", 2}},
			outcomes: []outcome{bad, good, dead, good, deadSoon},
		},
		{
			name: "cart", rate: 30,
			stages: map[string]string{
				"staging":    "deploy",
				"production": jobStage + "\n{promote: {strategy: rolling, batches: 2, pause: 500ms}}\n" + checkStage,
			},
			places:   []place{{"staging", "", 1}, {"production", "", 2}},
			outcomes: []outcome{good, bad, recalled, dead},
		},
		{
			name: "menu", rate: 70,
			stages:   map[string]string{"production": "{promote: blue-green}\n" + watchStage + "\npromote"},
			places:   []place{{"production", "", 2}},
			outcomes: []outcome{good, bad, dead, recalled},
		},
		{
			name: "desk", rate: 70, notifies: true,
			stages:   map[string]string{"production": canaryStage + "\npromote\n" + tellStage},
			places:   []place{{"production", "", 1}},
			outcomes: []outcome{drilled, recalled, good, bad},
		},
		{
			name: "shop", rate: 70, with: bank, notifies: true,
			stages: map[string]string{
				"staging":    "deploy",
				"production": jobStage + "\n" + canaryStage + "\npromote\n" + tellStage,
			},
			places:   []place{{"staging", "", 1}, {"production", "", 1}},
			outcomes: []outcome{bad, queues, recalled, rests, dead, badFirst},
		},
		bank,
	}
	for _, s := range fleet {
		for name, stages := range s.stages {
			s.stages[name] = strings.NewReplacer("SCRIPT", script, "HOOK", r.hooks.url).Replace(stages)
		}
		for i := range s.places {
			var err error
			if s.places[i].address, err = ports.Crash.Free(r.random); err != nil {
				return nil, err
			}
		}
	}
	return fleet, nil
}

// jobScript is the command of jobs and checks. It does its work slowly, so that
// kills meet it, and leaves a line when it begins and one when it has done it.
const jobScript = `#!/bin/sh
case "$1 $FAIRWAY_VERSION" in
"check bad"*) echo "the books do not balance" >&2; exit 1 ;;
"check "*) exit 0 ;;
esac
what="$FAIRWAY_RELEASE $FAIRWAY_SERVICE/$FAIRWAY_ENVIRONMENT"
echo "$1-begins $what" >> "$(dirname "$0")/effects"
sleep 0.4
echo "$1 $what" >> "$(dirname "$0")/effects"
`

// definition is the fairway.yaml with which a version is released.
func (s *service) definition(version string, o outcome) string {
	var y strings.Builder
	fmt.Fprintf(&y, "service: %s\nexpect: {rate: %g/s, errors: 0.1%%}\n", s.name, s.rate)
	if s.with != nil {
		fmt.Fprintf(&y, "with: [%s]\n", s.with.name)
	}
	fmt.Fprintf(&y, "host: {run: $ARTIFACT -port $PORT, ready: {path: /healthz, timeout: 20s, interval: 50ms}, drain: 2s, stopTimeout: 3s}\nenvironments:\n")
	for i, p := range s.places {
		fmt.Fprintf(&y, "  - name: %s\n    onUndecided: promote\n    host: {listen: %q, instances: %d}\n", p.name, p.address, p.instances)
		traits := map[bool]string{}
		traits[o == bad && i == len(s.places)-1] = `, SHOP_ERROR_RATE: "0.35"`
		traits[o == dead && i == len(s.places)-1 || o == deadSoon && i == 0] = `, SHOP_FAIL_START: "true"`
		fmt.Fprintf(&y, "    config: {env: {SHOP_VERSION: %s%s}}\n    stages:\n", version, traits[true])
		for _, stage := range strings.Split(s.stages[p.name], "\n") {
			fmt.Fprintf(&y, "      - %s\n", stage)
		}
	}
	return y.String()
}
