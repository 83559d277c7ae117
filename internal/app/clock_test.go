package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/store"
)

// machine is a pair of clocks that the test moves: time passes for both, and the
// wall may jump beside.
type machine struct {
	*clock
	t      *testing.T
	steady time.Duration
	jump   time.Duration
	last   time.Time
	log    bytes.Buffer
	// heard are the jumps that were told, and refuse is what is said to them.
	heard  []time.Duration
	refuse error
}

func newMachine(t *testing.T) *machine {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	m := &machine{t: t, last: start}
	m.clock = &clock{
		start: start, log: slog.New(slog.NewTextHandler(&m.log, nil)),
		wall:  func() time.Time { return start.Add(m.steady + m.jump) },
		since: func(time.Time) time.Duration { return m.steady },
	}
	return m
}

// pass lets time pass in steps of a second, with a check at each, and returns how
// long it was for the clock.
func (m *machine) pass(d time.Duration) time.Duration {
	m.t.Helper()
	before := m.Now()
	for range d / time.Second {
		m.steady += time.Second
		m.check(m.jumped)
		if now := m.Now(); now.Before(m.last) {
			m.t.Fatalf("the clock ran backwards, from %s to %s", m.last, now)
		}
		m.last = m.Now()
	}
	return m.Now().Sub(before)
}

func (m *machine) jumped(now time.Time) error {
	m.heard = append(m.heard, now.Sub(m.Now()))
	return m.refuse
}

// off is how far the clock is ahead of the wall.
func (m *machine) off() time.Duration { return m.Now().Sub(m.wall()) }

func (m *machine) wantTold(ahead, back int) {
	m.t.Helper()
	a, b := strings.Count(m.log.String(), "jumped ahead"), strings.Count(m.log.String(), "was set back")
	if a != ahead || b != back {
		m.t.Errorf("it was told %d times of a jump ahead and %d of one back, want %d and %d:\n%s", a, b, ahead, back, m.log.String())
	}
}

func TestTheClockMovesOnSteadily(t *testing.T) {
	m := newMachine(t)
	if d := m.pass(time.Hour); d != time.Hour {
		t.Errorf("an hour took %s", d)
	}
	m.wantTold(0, 0)
}

func TestASuspendedMachinesClockIsFollowedOnceOthersAreExcused(t *testing.T) {
	m := newMachine(t)
	m.pass(time.Minute)
	m.jump += 3 * time.Hour
	if d := m.pass(time.Second); d != 3*time.Hour+time.Second || m.off() != 0 {
		t.Errorf("the clock moved by %s and is %s ahead", d, m.off())
	}
	// jumped was told the time to come while the clock was still behind.
	if len(m.heard) != 1 || m.heard[0] != 3*time.Hour {
		t.Errorf("who slept was told of %v, want once three hours", m.heard)
	}
	m.pass(time.Minute)
	m.wantTold(1, 0)
}

func TestAJumpIsFollowedOnlyWhenOthersHaveHeardOfIt(t *testing.T) {
	m := newMachine(t)
	m.jump, m.refuse = time.Hour, errors.New("the disk is full")
	if d := m.pass(3 * time.Second); d != 3*time.Second {
		t.Errorf("the clock moved by %s though nobody could be told", d)
	}
	m.refuse = nil
	m.pass(time.Second)
	if m.off() != 0 || len(m.heard) != 4 {
		t.Errorf("the clock is %s ahead after %d tries", m.off(), len(m.heard))
	}
}

func TestAClockThatIsSetBackIsWaitedForSlowly(t *testing.T) {
	m := newMachine(t)
	m.pass(time.Minute)
	m.jump -= time.Minute
	m.pass(time.Second) // it is seen
	if d := m.pass(100 * time.Second); d != 90*time.Second {
		t.Errorf("a hundred seconds took %s, want nine tenths", d)
	}
	m.jump -= 10 * time.Second
	m.pass(20 * time.Minute)
	if off := m.off(); off > jumpWorthFollowing || off < -jumpWorthFollowing {
		t.Errorf("after a while the clock is still %s ahead", off)
	}
	if d := m.pass(time.Minute); d != time.Minute {
		t.Errorf("then a minute takes %s", d)
	}
	m.wantTold(0, 2)
	if len(m.heard) != 0 {
		t.Errorf("somebody was excused for %v", m.heard)
	}
}

func TestAWrongClockThatIsMendedIsFollowedBothWays(t *testing.T) {
	m := newMachine(t)
	m.jump = -time.Hour
	m.pass(11 * time.Second) // a second until it is seen, and a tenth of ten
	m.jump = -time.Second
	m.pass(time.Second)
	if d := m.pass(time.Minute); d < time.Minute || m.off() != 0 {
		t.Errorf("a minute takes %s, and the clock is %s ahead", d, m.off())
	}
}

func TestSmallCorrectionsAreEveryday(t *testing.T) {
	m := newMachine(t)
	for _, jump := range []time.Duration{time.Second, -time.Second, 4 * time.Second, 0, 30 * time.Millisecond} {
		m.jump = jump
		m.pass(time.Minute)
		if off := m.off(); off > jumpWorthFollowing || off < -jumpWorthFollowing {
			t.Errorf("a minute after a correction to %s the clock is %s ahead", jump, off)
		}
	}
	m.wantTold(0, 0)
	if len(m.heard) != 0 {
		t.Errorf("somebody was excused for %v", m.heard)
	}
}

func TestTheClockNeverRunsBackwards(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	m := newMachine(t)
	for range 2000 {
		if r.IntN(4) == 0 {
			m.jump += time.Duration(r.Int64N(int64(20*time.Second))) - 10*time.Second
		}
		m.steady += time.Duration(r.Int64N(int64(time.Second)))
		m.pass(time.Second)
		if off := m.off(); off < -jumpWorthTelling {
			t.Fatalf("the clock is %s behind the wall", -off)
		}
	}
}

func TestAClockIsThatOfAnotherMachine(t *testing.T) {
	for _, off := range []time.Duration{40 * time.Second, -40 * time.Second} {
		m := newMachine(t)
		m.pass(3 * time.Second)
		m.correct(off)
		m.last = m.Now()
		if got := m.off(); got != off {
			t.Errorf("told that the wall is off by %s, the clock is off by %s", off, got)
		}
		if took := m.pass(30 * time.Second); took != 30*time.Second {
			t.Errorf("with the clock off by %s half a minute took %s", off, took)
		}
		// What is found later is followed as if the wall had been set: never backwards.
		m.correct(off - 5*time.Second)
		m.pass(2 * time.Minute)
		if got := m.off(); got != off-5*time.Second {
			t.Errorf("later the clock is off by %s, not by %s", got, off-5*time.Second)
		}
		m.correct(off)
		m.pass(2 * time.Second)
		if got := m.off(); got != off {
			t.Errorf("at last the clock is off by %s, not by %s", got, off)
		}
	}
}

func TestTheMetricTellsOfAMachinesOwnClockThatIsWrong(t *testing.T) {
	for _, off := range []time.Duration{30 * time.Second, -30 * time.Second} {
		server := newSharedClock(slog.New(slog.DiscardHandler), off)
		if got := server.aheadOfMachine(); (got - off).Abs() > time.Second {
			t.Errorf("a server whose clock is %s behind the database's shows %s", off, got)
		}
		if err := server.ask(t.Context(), func(context.Context) (time.Duration, error) { return 2 * off, nil }); err != nil {
			t.Error(err)
		}
		server.follow()
		if got := server.aheadOfMachine(); off > 0 && (got-2*off).Abs() > time.Second {
			t.Errorf("when it is %s behind, it shows %s", 2*off, got)
		}

		worker := newMachine(t)
		worker.correct(off)
		if got := worker.aheadOfMachine(); got != off {
			t.Errorf("a worker whose clock is %s behind the server's shows %s", off, got)
		}
	}
	m := newMachine(t)
	m.pass(time.Minute)
	m.jump = -20 * time.Second
	if got := m.aheadOfMachine(); got != 20*time.Second {
		t.Errorf("a clock that was set back by 20 s shows %s", got)
	}
}

// timed is a store on a machine whose clock is ahead, which cannot be asked at first.
type timed struct {
	store.Store
	ahead time.Duration
	err   error
}

func (s timed) Ahead(context.Context) (time.Duration, error) { return s.ahead, s.err }

func TestAServerWhoseClockIsFarOffDoesNotStart(t *testing.T) {
	config := ServerConfig{Database: "postgres://db/fairway", Log: slog.New(slog.DiscardHandler)}
	for _, c := range []struct {
		ahead time.Duration
		says  string
	}{
		{0, ""}, {59 * time.Second, ""}, {-time.Minute, ""},
		{61 * time.Second, "this machine's clock is 1m1s behind the database's"},
		{-2 * time.Hour, "this machine's clock is 2h0m0s ahead of the database's"},
	} {
		clock, err := config.openClock(t.Context(), timed{ahead: c.ahead})
		if c.says != "" {
			if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), c.says) || !strings.Contains(fault.HintOf(err), "NTP") {
				t.Errorf("%s behind: %v (%s), want %q", c.ahead, err, fault.HintOf(err), c.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s behind: %v", c.ahead, err)
		} else if off := time.Until(clock.Now()) - c.ahead; off.Abs() > time.Second {
			t.Errorf("%s behind, the server goes by a time that is %s from the database's", c.ahead, off)
		}
	}
	gone := fault.Errorf(fault.Unavailable, "the database is away")
	if _, err := config.openClock(t.Context(), timed{err: gone}); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("nobody tells the time: %v", err)
	}
}
