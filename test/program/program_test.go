package program_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/test/program"
)

func TestAProgramIsKilledAndStartedAgain(t *testing.T) {
	p := &program.Program{Name: "sleeper", Path: "/bin/sh", Dir: t.TempDir(), Args: []string{"-c", "echo up; exec sleep 60"}}
	p.Kill() // it was never started
	for round := 1; round <= 2; round++ {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		for strings.Count(p.Tail(10), "up") < round && t.Context().Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		if n, err := p.Resident(); err != nil || n <= 0 {
			t.Errorf("it runs, and has %d bytes (%v)", n, err)
		}
		p.Kill()
		select {
		case <-p.Ended():
		default:
			t.Fatal("it was killed and has not ended")
		}
		if killed, how := p.Killed(); !killed {
			t.Errorf("it was killed, and is said to have ended by %s", how)
		}
	}
	if n, err := p.Resident(); err == nil {
		t.Errorf("it has ended, and has %d bytes", n)
	}
}

func TestAFrozenProgramDoesNothingUntilItThaws(t *testing.T) {
	p := &program.Program{Name: "counter", Path: "/bin/sh", Dir: t.TempDir(), Args: []string{"-c", "n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done"}}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	moves := func() {
		for was := p.Tail(1); p.Tail(1) == was && t.Context().Err() == nil; {
			time.Sleep(5 * time.Millisecond)
		}
	}
	moves()
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	was := p.Tail(1)
	time.Sleep(200 * time.Millisecond)
	if now := p.Tail(1); now != was {
		t.Errorf("it was frozen at %s and went on to %s", was, now)
	}
	if err := p.Thaw(); err != nil {
		t.Fatal(err)
	}
	moves()
}

func TestAProgramThatEndsByItselfWasNotKilled(t *testing.T) {
	p := &program.Program{Name: "brief", Path: "/bin/sh", Dir: t.TempDir(), Args: []string{"-c", "exit 3"}}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	<-p.Ended()
	if killed, how := p.Killed(); killed || how != "exit status 3" {
		t.Errorf("it ended by %s (killed: %v)", how, killed)
	}
}

// Also what has a session of its own counts, as long as who has started it lives.
func TestTheMemoryOfWhatItHasStartedCountsToo(t *testing.T) {
	p := &program.Program{Name: "parent", Path: "/bin/sh", Dir: t.TempDir(), Args: []string{"-c", "echo up; read x < go; setsid sh -c 'echo grown; read x < end' & wait"}}
	for _, name := range []string{"go", "end"} {
		if err := syscall.Mkfifo(filepath.Join(p.Dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(p.Dir, name), []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said := func(word string) {
		for !strings.Contains(p.Tail(10), word) && t.Context().Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	said("up")
	alone, err := p.Resident()
	if err != nil {
		t.Fatal(err)
	}
	write("go")
	said("grown")
	defer write("end")
	if both, err := p.Resident(); err != nil || both < alone+alone/4 {
		t.Errorf("alone it has %d bytes, and with what it has started %d (%v)", alone, both, err)
	}
}

func TestAProgramIsAskedToStopBeforeItIsKilled(t *testing.T) {
	for script, polite := range map[string]bool{
		"trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done": true,
		"trap '' TERM; echo up; while :; do sleep 0.01; done":       false,
	} {
		p := &program.Program{Name: "asked", Path: "/bin/sh", Dir: t.TempDir(), Args: []string{"-c", script}}
		if !p.Stop(0) {
			t.Error("one that was never started did not stop")
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		for p.Tail(1) != "up" && t.Context().Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		limit := 20 * time.Second
		if !polite {
			limit = 200 * time.Millisecond
		}
		if stopped := p.Stop(limit); stopped != polite {
			t.Errorf("%q stopped by itself: %v", script, stopped)
		}
		if killed, how := p.Killed(); killed == polite {
			t.Errorf("%q ended by %s", script, how)
		}
	}
}
