package judge_test

import (
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// A canary that fails one request in ten is found within seconds.
func Example() {
	settings := judge.DefaultSettings()
	start := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	calibration := judge.Calibrate(judge.History{}, settings, 200, 1)
	canary := judge.New(settings, calibration, start)

	for second := 1; second <= 60; second++ {
		at := start.Add(time.Duration(second) * time.Second)
		canary.Observe(judge.Sample{
			At: at, Weight: 0.1,
			Stable: judge.Arm{Requests: 180, Errors: int64(second % 2), Instances: 4},
			Canary: judge.Arm{Requests: 20, Errors: 2, Instances: 2},
		})
		if v := canary.Verdict(at); v.Kind != judge.Hold {
			fmt.Println(v.Kind, "after", second, "s")
			fmt.Println(v.Sentence())
			break
		}
	}
	// Output:
	// fail after 3 s
	// The new version is worse and goes back: errors 10.0 % against 0.37 %.
}
