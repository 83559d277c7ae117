package drive_test

import (
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

const oneCanary = `service: shop
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [canary]
`

// Reading the samples of earlier releases is dear, and a canary may be leased often.
func TestACanaryLearnsFromEarlierReleasesUntilItsJudgeBegins(t *testing.T) {
	r := newRig(t)
	slow := judge.Histogram{Bounds: []float64{0.1}, Counts: []int64{90, 10}}
	first := r.ship(oneCanary)
	r.say(r.one("w1"), stage.Outcome{
		Status: stage.Passed, Exposed: true,
		Points: []stage.Point{{Sample: judge.Sample{At: r.clock(), Stable: judge.Arm{Requests: 100, Latency: slow}, Canary: judge.Arm{Requests: 100, Cold: slow}}}},
	})
	r.say(r.one("w1"), stage.Outcome{Status: stage.Passed}) // the promote that the plan adds
	r.want(first, pipeline.RunSucceeded)

	r.ship(oneCanary)
	for _, c := range []struct {
		state  string // after the lease
		learns bool   // in the lease
	}{
		{`{"phase":"placing"}`, true},
		{`{"phase":"judging","judge":{"tracks":[]}}`, true},
		{`{"phase":"filling","judge":{"tracks":[]}}`, false},
	} {
		task := r.one("w1")
		if got := len(task.Experience.ColdStart.Ages) > 0; got != c.learns {
			t.Errorf("in the lease before %s, it learns: %v", c.state, got)
		}
		r.say(task, stage.Outcome{Status: stage.Continue, State: []byte(c.state)})
		r.pass(time.Minute)
	}
}
