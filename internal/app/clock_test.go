package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// jumpingClock is a clock with a wall clock and a steady clock that a test sets.
type jumpingClock struct {
	*clock
	wall   time.Time
	steady time.Duration
	said   bytes.Buffer
}

func newJumpingClock() *jumpingClock {
	j := &jumpingClock{wall: time.Date(2026, 3, 29, 1, 59, 0, 0, time.UTC)}
	j.clock = &clock{
		start: j.wall, log: slog.New(slog.NewTextHandler(&j.said, nil)),
		steady: func() time.Duration { return j.steady }, wall: func() time.Time { return j.wall },
	}
	return j
}

// pass lets both clocks go on by d, and the wall clock jump on top.
func (j *jumpingClock) pass(d, jump time.Duration) {
	j.steady += d
	j.wall = j.wall.Add(d + jump)
}

func TestAJumpOfTheSystemsClockMovesNoDeadlineAndIsToldOnce(t *testing.T) {
	for _, tc := range []struct {
		name string
		jump time.Duration
		told bool
	}{
		{"no jump", 0, false},
		{"a correction that nobody needs to know", 3 * time.Second, false},
		{"an hour forwards", time.Hour, true},
		{"an hour back", -time.Hour, true},
		{"years back, to a clock that was never set", -20 * 365 * 24 * time.Hour, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			j := newJumpingClock()
			deadline := j.Now().Add(time.Minute)
			j.pass(10*time.Second, tc.jump)
			if left := deadline.Sub(j.Now()); left != 50*time.Second {
				t.Errorf("of a minute, %s are left after ten seconds", left)
			}
			told := j.check(0)
			if got := strings.Contains(j.said.String(), "The system's clock jumped"); got != tc.told {
				t.Errorf("told %v, want %v: %s", got, tc.told, j.said.String())
			}
			j.said.Reset()
			j.pass(time.Second, 0)
			if told = j.check(told); j.said.Len() > 0 {
				t.Errorf("the same jump was told again: %s", j.said.String())
			}
			j.pass(time.Second, -tc.jump)
			j.check(told)
			if got := j.said.Len() > 0; got != tc.told {
				t.Errorf("the jump back was told %v, want %v", got, tc.told)
			}
		})
	}
}

func TestTheClockOfAProcessFollowsTime(t *testing.T) {
	before := time.Now()
	c := newClock(slog.New(slog.DiscardHandler))
	last := c.Now()
	for range 10_000 {
		now := c.Now()
		if now.Before(last) {
			t.Fatalf("it ran backwards, from %s to %s", last, now)
		}
		last = now
	}
	if after := time.Now(); last.Before(before) || last.After(after) {
		t.Errorf("it says %s, between %s and %s", last, before, after)
	}
	if c.check(0) != 0 {
		t.Error("it tells of a jump that was none")
	}
}
