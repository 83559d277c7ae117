package metric

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// instances gathers what the judge wants to know of a canary's single instances: the
// errors of each, and how old the youngest cold one is. Of stable it needs the sums only.
type instances struct {
	errors   []judge.InstanceErrors
	youngest time.Duration
	anyCold  bool
}

// failed notes an instance's errors of the interval.
func (i *instances) failed(instance string, errors int64) {
	if errors > 0 {
		i.errors = append(i.errors, judge.InstanceErrors{Instance: instance, Errors: errors})
	}
}

// young notes a cold instance that was so old when the interval began; one that was not
// there yet is of age 0.
func (i *instances) young(age time.Duration) {
	age = max(0, age)
	if !i.anyCold || age < i.youngest {
		i.anyCold, i.youngest = true, age
	}
}

// tell puts it into the arm, in a fixed order.
func (i *instances) tell(arm *judge.Arm, cold judge.Histogram) {
	slices.SortFunc(i.errors, func(a, b judge.InstanceErrors) int { return cmp.Compare(a.Instance, b.Instance) })
	arm.ErrorsBy = append([]judge.InstanceErrors{}, i.errors...)
	if i.anyCold && !cold.Empty() {
		arm.Cold, arm.ColdAge = cold, i.youngest.Seconds()
	}
}
