package main

import (
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

func TestOnlyARollbackThatWentWellCounts(t *testing.T) {
	ended := func(s pipeline.RunState) (d client.ReleaseDetail) {
		d.State = s
		return d
	}
	if err := rolledBack(ended(pipeline.RunRolledBack)); err != nil {
		t.Error(err)
	}
	if err := rolledBack(ended(pipeline.RunFailed)); err == nil {
		t.Error("one that failed counts too")
	}
}

func TestTrafficHasToComeBackInSteps(t *testing.T) {
	for name, c := range map[string]struct {
		shop  []int // the weights of the team's own Service, of a hundred
		wrong string
	}{
		"in steps":            {[]int{5, 33, 66, 100}, ""},
		"at once":             {[]int{5, 100}, "at once"},
		"in part":             {[]int{5, 33}, "did not come back"},
		"not at all":          {[]int{5}, "did not come back"},
		"after it had it all": {[]int{5, 0, 100}, "at once"},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			var seen []rig.Weights
			for i, weight := range c.shop {
				seen = append(seen, rig.Weights{At: begin.Add(time.Duration(i) * time.Second), Of: map[string]int{"shop": weight, "canary": 100 - weight}})
			}
			back, err := cameBack(seen)
			if c.wrong == "" {
				if last := seen[len(seen)-1].At; err != nil || !back.Equal(last) {
					t.Errorf("it was back at %s, %v; not at %s", back, err, last)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("it is told as %v", err)
			}
		})
	}
}
