package rig

import (
	"testing"
	"time"
)

func TestWeightsAreKeptOnceAndMustSumToOneWhole(t *testing.T) {
	r, begin := &Route{whole: 100}, time.Now()
	for i, w := range []map[string]int{
		{"shop": 1}, // a team's own
		{"shop": 90, "canary": 10},
		{"shop": 90, "canary": 10},
		{"shop": 95, "canary": 10},
		{"shop": 0, "canary": 100},
		{"shop": 1},
	} {
		sum := 0
		for _, weight := range w {
			sum += weight
		}
		r.note(Weights{At: begin.Add(time.Duration(i) * time.Second), Of: w}, sum)
	}
	if wrong := r.TakeWrong(); len(wrong) != 1 {
		t.Errorf("of one wrong sum these were found: %q", wrong)
	}
	if wrong := r.TakeWrong(); len(wrong) != 0 {
		t.Errorf("told twice: %q", wrong)
	}
	if all := r.Since(begin); len(all) != 5 {
		t.Errorf("kept %d changes: %v", len(all), all)
	}
	if from := r.Since(begin.Add(2500 * time.Millisecond)); len(from) != 4 || from[0].Of["canary"] != 10 {
		t.Errorf("since the second that was seen twice: %v", from)
	}
	all := func(share float64) bool { return share == 1 }
	if at := r.When(begin, all); !at.Equal(begin.Add(4 * time.Second)) {
		t.Errorf("the canary had everything %s after the begin", at.Sub(begin))
	}
	if at := r.When(begin.Add(5*time.Second), all); !at.IsZero() {
		t.Errorf("and again at %s", at)
	}
	none := func(share float64) bool { return share == 0 }
	if at := r.When(begin.Add(time.Second), none); !at.Equal(begin.Add(5 * time.Second)) {
		t.Errorf("it had nothing again %s after the begin", at.Sub(begin))
	}
}

func TestAnswersAreFoundByWhenTheyWereDue(t *testing.T) {
	tr, begin := &Traffic{}, time.Now()
	for _, due := range []time.Duration{0, 2 * time.Second, time.Second, 2 * time.Minute, 121 * time.Second} {
		tr.answers = append(tr.answers, Answer{Due: begin.Add(due)})
	}
	for from, want := range map[time.Duration]int{-time.Second: 5, 0: 5, 1500 * time.Millisecond: 3, 121 * time.Second: 1, 122 * time.Second: 0} {
		if got := tr.Since(begin.Add(from)); len(got) != want {
			t.Errorf("since %s there are %d answers, want %d", from, len(got), want)
		}
	}
}
