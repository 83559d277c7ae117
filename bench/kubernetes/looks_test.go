package main

import (
	"testing"
	"time"
)

func TestARoundIsFromItsFirstLookToItsLast(t *testing.T) {
	at := func(seconds ...int) (all []time.Time) {
		for _, s := range seconds {
			all = append(all, time.Unix(int64(s), 0))
		}
		return all
	}
	l := newLooks(nil, time.Time{})
	if l.least(3) != 0 || l.longest() != 0 {
		t.Errorf("without looks: least %d, longest %s", l.least(3), l.longest())
	}
	l.at = map[string][]time.Time{"a": at(0, 30, 60), "b": at(2, 37), "c": at(4, 33)}
	if l.least(3) != 2 || l.least(4) != 0 || l.count() != 7 {
		t.Errorf("least %d of three and %d of four, %d in all", l.least(3), l.least(4), l.count())
	}
	if got := l.longest(); got != 7*time.Second {
		t.Errorf("the longest round took %s", got)
	}
}
