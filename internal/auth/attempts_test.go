package auth

import (
	"fmt"
	"testing"
	"time"
)

func TestMadeUpNamesTakeBoundedMemory(t *testing.T) {
	a := newAttempts()
	now := time.Unix(1_800_000_000, 0)
	for i := range 2 * maxNames {
		a.begin(fmt.Sprint(i), now)
	}
	if len(a.names) > maxNames {
		t.Errorf("%d names are remembered, want at most %d", len(a.names), maxNames)
	}
}

func TestTheWaitGrowsToItsBound(t *testing.T) {
	for _, c := range []struct {
		count int
		want  time.Duration
	}{{1, 0}, {4, 0}, {5, 2 * time.Second}, {6, 4 * time.Second}, {12, 256 * time.Second}, {20, longestWait}, {1000, longestWait}} {
		if got := (&failures{count: c.count}).wait(); got != c.want {
			t.Errorf("wait after %d failures = %v, want %v", c.count, got, c.want)
		}
	}
}
