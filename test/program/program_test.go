package program_test

import (
	"strings"
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
