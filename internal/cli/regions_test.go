package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// inRegions is a release in so many regions: one in the first wave, the others in the second.
func inRegions(n int) client.ReleaseDetail {
	r := client.ReleaseDetail{Plan: &pipeline.Plan{}}
	for i := range n {
		wave := min(i, 1) + 1
		name := fmt.Sprintf("r%d", i)
		r.Plan.Environments = append(r.Plan.Environments, pipeline.Environment{
			Name: pipeline.LegName("production", name), Region: name, Stages: []pipeline.Stage{{Name: "deploy"}},
			Leg: &pipeline.Leg{Environment: "production", Wave: wave},
		})
		r.Run.Environments = append(r.Run.Environments, pipeline.EnvironmentRun{
			Name: pipeline.LegName("production", name), State: pipeline.EnvironmentPending, Stages: []pipeline.StageRun{{State: pipeline.StagePending}},
		})
	}
	return r
}

func TestAStatusShowsTroubledRegionsFirstAndCountsTheOthers(t *testing.T) {
	r := inRegions(200)
	e := r.Run.Environments
	e[0].State = pipeline.EnvironmentSucceeded
	e[150].State, e[150].Stages[0] = pipeline.EnvironmentRunning, pipeline.StageRun{State: pipeline.StageRunning}
	e[160].State, e[160].Reason = pipeline.EnvironmentRolledBack, "it failed"
	e[170].State, e[170].Stages[0].Asks = pipeline.EnvironmentRollingBack, "mend it"
	var out strings.Builder
	printRegions(&out, r)
	var lines []string
	for _, l := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		lines = append(lines, strings.Join(strings.Fields(l), " "))
	}
	want := []string{
		"production in its regions", "WAVE REGION STATE STAGE TOOK WHY", "1 r0 succeeded",
		"2 r170 rolling-back deploy pending mend it", "2 r160 rolled-back it failed", "2 r150 running deploy running",
		"2 196 regions pending r1, r2, r3, r4, r5, r6, r7 and 189 more",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("it says\n%s", out.String())
	}
}
