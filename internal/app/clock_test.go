package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestAWallClockThatJumpsMovesNoDeadlineAndIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var steady, jump time.Duration
	c := &clock{
		start: start, log: slog.New(slog.NewTextHandler(&log, nil)),
		wall:  func() time.Time { return start.Add(steady + jump) },
		since: func(time.Time) time.Duration { return steady },
	}
	var told time.Duration
	step := func(jumped time.Duration, wantTold int) {
		t.Helper()
		before := c.Now()
		steady, jump = steady+time.Second, jumped
		told = c.check(told)
		if d := c.Now().Sub(before); d != time.Second {
			t.Errorf("after a jump of %s a second took %s", jumped, d)
		}
		if n := strings.Count(log.String(), "clock jumped"); n != wantTold {
			t.Errorf("after a jump of %s it was told %d times, want %d", jumped, n, wantTold)
		}
	}
	step(0, 0)
	step(time.Second, 0) // small corrections are everyday
	step(3*time.Hour, 1)
	step(3*time.Hour, 1)
	step(-24*time.Hour, 2)
	step(0, 3)
}
