package pipeline_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// drawWaves is a definition with an environment of several regions.
func drawWaves(t *rapid.T) string {
	stages := rapid.SampledFrom([]string{
		"[deploy]", "[{approval: {roles: [sre]}}, deploy]", "[{job: {run: ./up, undo: ./down}}, deploy]",
		"[canary, watch, promote]", "[{gate: latest.tests.status == 'passed'}, deploy, {approval: {roles: [sre]}}]",
	}).Draw(t, "stages")
	return fmt.Sprintf(`service: shop
with: [payments, ledger]
host: {run: ./shop}
environments:
  - name: staging
    host: {listen: "127.0.0.1:8081"}
    stages: [deploy]
  - name: production
    needs: {staging: 1m}
    regions: [a, b, c, d, e]
    waves: %s
    bake: %s
    takeBack: %s
    host: {listen: "127.0.0.1:8080"}
    stages: %s
  - name: archive
    needs: {production: 1m}
    host: {listen: "127.0.0.1:8082"}
    stages: [deploy]
`, rapid.SampledFrom([]string{"[a, [b, c], rest]", "[rest]", "[[e, d], c, b, a]"}).Draw(t, "waves"),
		rapid.SampledFrom([]string{"0", "5m"}).Draw(t, "bake"), rapid.SampledFrom([]string{"all", "wave", "ask"}).Draw(t, "take back"), stages)
}

// drawForAll lets some events speak of all regions of the environment, as those of lanes always do.
func drawForAll(t *rapid.T, run *pipeline.Run, ev *pipeline.Event) {
	in := run.Plan.Environment(ev.Environment).In()
	switch ev.Kind {
	case pipeline.EventLaneGranted:
		for i := range run.Environments {
			e := &run.Environments[i]
			if e.State == pipeline.EnvironmentRollingBack && e.Lane == pipeline.LaneQueued && run.Plan.Environments[i].In() == in && rapid.Bool().Draw(t, "void") {
				ev.Void = append(ev.Void, e.Name)
			}
		}
		ev.Environment = in
	case pipeline.EventLaneFrozen, pipeline.EventLaneThawed, pipeline.EventRollbackVoid, pipeline.EventSuperseded:
		ev.Environment = in
	case pipeline.EventRollback, pipeline.EventSkipped, pipeline.EventApproved, pipeline.EventRejected:
		if rapid.Bool().Draw(t, "in all") {
			ev.Environment, ev.Stage = in, ""
		}
	}
}

// legalWaves checks what holds for the regions of an environment after each event.
func legalWaves(t *rapid.T, was, is pipeline.Run, ev pipeline.Event, now time.Time) {
	advances := map[int]bool{}
	for i, e := range is.Environments {
		p := &is.Plan.Environments[i]
		if p.Leg == nil {
			continue
		}
		if e.State == pipeline.EnvironmentRunning {
			advances[p.Wave()] = true
		}
		began := was.Environments[i].StartedAt.IsZero() && !e.StartedAt.IsZero()
		failed := was.Environments[i].FailedStage == "" && e.FailedStage != ""
		for j, o := range is.Environments {
			q := &is.Plan.Environments[j]
			if q.In() != p.In() || i == j || q.Wave() == 0 || p.Wave() == 0 {
				continue
			}
			if began && q.Wave() < p.Wave() {
				begunAfter(t, e, o, p.Leg, now)
			}
			if failed && ev.Kind != pipeline.EventRollback { // a person may have taken others back
				failedLeg(t, was.Environments[j], o, p, q)
			}
		}
	}
	if len(advances) > 1 {
		t.Fatalf("waves %v advance at the same time after %s", advances, ev.Kind)
	}
}

// begunAfter checks that a leg began only after one of an earlier wave.
func begunAfter(t *rapid.T, e, before pipeline.EnvironmentRun, leg *pipeline.Leg, now time.Time) {
	switch before.State {
	case pipeline.EnvironmentSkipped:
	case pipeline.EnvironmentSucceeded:
		if now.Before(before.EndedAt.Add((leg.Bake + before.Away).Std())) {
			t.Fatalf("%s began before %s had run for %s", e.Name, before.Name, leg.Bake)
		}
	default:
		t.Fatalf("%s began while %s was %s", e.Name, before.Name, before.State)
	}
}

// failedLeg checks what became of another region when one has failed.
func failedLeg(t *rapid.T, was, is pipeline.EnvironmentRun, failed, other *pipeline.Environment) {
	touched := is.State == pipeline.EnvironmentRunning || is.State == pipeline.EnvironmentSucceeded || is.State == pipeline.EnvironmentPending
	switch {
	case other.Wave() > failed.Wave() && (touched || !is.StartedAt.IsZero() && is.State != pipeline.EnvironmentSkipped):
		t.Fatalf("%s failed, and %s after it is %s", failed.Name, is.Name, is.State)
	case other.Wave() == failed.Wave() && touched:
		t.Fatalf("%s failed, and %s beside it is %s", failed.Name, is.Name, is.State)
	case other.Wave() < failed.Wave() && failed.Leg.TakeBack == pipeline.TakeBackAll && is.State == pipeline.EnvironmentSucceeded:
		t.Fatalf("%s failed, and %s before it stays", failed.Name, is.Name)
	case other.Wave() < failed.Wave() && failed.Leg.TakeBack != pipeline.TakeBackAll && is.State != was.State:
		t.Fatalf("%s failed, and %s before it went from %s to %s", failed.Name, is.Name, was.State, is.State)
	}
}

func inRegions(n int, more string) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("r%d", i)
	}
	return `service: shop
host: {run: ./shop}
expect: {rate: 1000/s}
environments:
  - name: staging
    host: {listen: "127.0.0.1:8081"}
  - name: production
    host: {listen: "127.0.0.1:8080"}
    regions: [` + strings.Join(names, ", ") + "]\n" + more
}

func TestTheRegionsOfAnEnvironmentShareItsFalseAlarmsAndItsTraffic(t *testing.T) {
	plan := planOf(t, []byte(inRegions(40, "    waves: [r3, rest]\n")))
	sum, judged := spent(plan)
	if judged != 41*2 || math.Abs(sum-0.005) > 1e-12 {
		t.Errorf("%d judges may spend %v of 0.005", judged, sum)
	}
	if first := plan.Environments[1]; first.Name != "production/r3" || first.Region != "r3" || first.Leg.Bake != 0 || plan.Rate(&first) != 25 {
		t.Errorf("the first region is %s with %v requests per second", first.Name, plan.Rate(&first))
	}
	alone, _ := spent(planOf(t, []byte(inRegions(1, ""))))
	if math.Abs(alone-0.005) > 1e-12 {
		t.Errorf("one region spends %v", alone)
	}
}

func TestAPlanWithRegionsIsStoredSmallAndReadAsItWas(t *testing.T) {
	text := inRegions(200, "    waves: [r3, [r4, r5], rest]\n    config: {env: {A: b}}\n")
	text = strings.Replace(text, "r7,", "{name: r7, config: {env: {A: c}, secrets: {D: 'env:D'}}, host: {instances: 4}}, {name: r7b, metrics: {prometheus: {url: 'http://p:9090', preset: app}}},", 1)
	plan := planOf(t, []byte(text))
	small, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := pipeline.ReadPlan(small)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(plan, back) || plan.Hash() != back.Hash() {
		t.Error("the plan came back as another one")
	}
	if len(small) > 200*200+10_000 {
		t.Errorf("the plan takes %d bytes", len(small))
	}
	if plan.Version != 2 {
		t.Errorf("its version is %d", plan.Version)
	}
}

func TestAPlanWithoutRegionsIsWrittenAsEver(t *testing.T) {
	plan := planOf(t, []byte(everything))
	b, err := plan.Encode()
	if err != nil || plan.Version != 1 || strings.Contains(string(b), `"leg"`) {
		t.Errorf("version %d, %v: %s", plan.Version, err, b)
	}
}

func TestAPlanThatIsLikeNothingIsRefused(t *testing.T) {
	_, err := pipeline.ReadPlan([]byte(`{"version":2,"environments":[{"name":"production/a","like":"production/b"}]}`))
	if err == nil || !strings.Contains(err.Error(), "production/b") {
		t.Errorf("it was read: %v", err)
	}
}

func TestAnEnvironmentsNameMeansAllItsRegions(t *testing.T) {
	plan := planOf(t, []byte(inRegions(3, "")))
	if got := plan.Entries("production"); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("production is %v", got)
	}
	if got := plan.Entries("production/r1"); !slices.Equal(got, []int{2}) {
		t.Errorf("production/r1 is %v", got)
	}
	if got := plan.Entries("nowhere"); got != nil {
		t.Errorf("nowhere is %v", got)
	}
}

// BenchmarkNextIn200Regions is one report of progress in a run with 200 regions of ten
// stages, half of which have been gone through; it tells the bytes of such a run too.
func BenchmarkNextIn200Regions(b *testing.B) {
	stages := "    stages: [deploy" + strings.Repeat(", {check: {http: [/]}}", 9) + "]\n"
	run := pipeline.NewRun(planOf(b, []byte(inRegions(200, "    waves: [r0, rest]\n"+stages))), "anna", birth)
	for i := range run.Environments {
		e := &run.Environments[i]
		e.State, e.Lane, e.StartedAt, e.Stage = pipeline.EnvironmentRunning, pipeline.LaneHeld, birth, 5
		if i < 2 {
			e.State, e.EndedAt, e.Stage = pipeline.EnvironmentSucceeded, birth, 1
		}
		for j := range e.Stages {
			s := &e.Stages[j]
			if j <= 5 {
				s.State, s.StartedAt, s.Deadline = pipeline.StagePassed, birth, birth.Add(time.Hour)
			}
			if j < 5 {
				s.EndedAt, s.Reason = birth, "the condition holds"
			}
			if j == 5 {
				s.State = pipeline.StageRunning
			}
		}
	}
	run.State = pipeline.RunRunning
	size, err := json.Marshal(run)
	if err != nil {
		b.Fatal(err)
	}
	ev := pipeline.Event{Kind: pipeline.EventStagePassed, Environment: "production/r100", Stage: run.Plan.Environments[101].Stages[5].Name}
	for b.Loop() {
		if _, _, err := pipeline.Next(run, ev, birth.Add(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(size)), "bytes/run")
}
