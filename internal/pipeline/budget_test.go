package pipeline_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// spent is what the judged stages of a plan may spend on false alarms together, and
// how many they are.
func spent(plan *pipeline.Plan) (sum float64, judged int) {
	for i := range plan.Environments {
		e := &plan.Environments[i]
		for _, s := range e.Stages {
			if s.Canary != nil || s.Watch != nil {
				sum += e.FalseAlarm(s.Kind)
				judged++
			}
		}
	}
	return sum, judged
}

func TestTheJudgesOfAReleaseShareItsFalseAlarms(t *testing.T) {
	ways := []string{
		"", "[canary]", "[canary, watch]", "[deploy]", "[promote: rolling, watch, promote]", "[promote: blue-green]",
		"[job: ./a, canary, check: {http: [/]}, watch: {for: 1h}]", "[canary, job: ./a]",
	}
	rapid.Check(t, func(t *rapid.T) {
		same := rapid.Bool().Draw(t, "one budget for all")
		budget := rapid.Float64Range(0.001, 20)
		whole := budget.Draw(t, "budget")
		largest := 0.0
		var text strings.Builder
		text.WriteString("service: shop\nhost: {run: ./shop}\nenvironments:\n")
		var names []string
		for i := range rapid.IntRange(1, 5).Draw(t, "environments") {
			own := whole
			if !same {
				own = budget.Draw(t, "own budget")
			}
			own = math.Max(0.001, math.Round(own*1000)/1000)
			name := fmt.Sprintf("e%d", i)
			names = append(names, name)
			fmt.Fprintf(&text, "  - name: %s\n    host: {listen: \"127.0.0.1:%d\"}\n    falseAlarm: %v%%\n", name, 8000+i, own)
			if stages := rapid.SampledFrom(ways).Draw(t, "stages"); stages != "" {
				fmt.Fprintf(&text, "    stages: %s\n", stages)
			}
			largest = math.Max(largest, own/100)
		}
		def, faults := pipeline.Parse("fairway.yaml", []byte(text.String()))
		if len(faults) > 0 {
			t.Fatalf("%v\n%s", faults, text.String())
		}
		in := pipeline.Request{Artifact: "./shop", Digest: digest}
		if rapid.Bool().Draw(t, "not everywhere") {
			in.Only = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(t, "only")
		}
		plan, err := pipeline.Compile(def, in)
		if err != nil {
			t.Fatal(err)
		}
		sum, judged := spent(plan)
		switch exact := math.Abs(sum-largest) < 1e-12; {
		case sum > largest*(1+1e-12):
			t.Fatalf("%d judges spend %v of %v\n%s", judged, sum, largest, text.String())
		case same && judged > 0 && !exact:
			t.Fatalf("%d judges spend only %v of %v\n%s", judged, sum, largest, text.String())
		}
	})
}

// A plan that was frozen with the whole budget in every environment was promised so.
func TestAFrozenPlanKeepsItsBudget(t *testing.T) {
	old := []byte(`{"version":1,"service":"shop","component":{"service":"shop","artifact":"./shop","digest":"` + digest + `"},"environments":[
		{"name":"staging","platform":"host","onUndecided":"hold","falseAlarm":0.005,"stages":[{"name":"canary","kind":"canary","timeLimit":"1h","canary":{}}]},
		{"name":"production","platform":"host","onUndecided":"hold","falseAlarm":0.005,"stages":[{"name":"canary","kind":"canary","timeLimit":"1h","canary":{}}]}]}`)
	plan, err := pipeline.ReadPlan(old)
	if err != nil {
		t.Fatal(err)
	}
	if sum, _ := spent(plan); sum != 0.01 {
		t.Errorf("its judges may spend %v", sum)
	}
}
