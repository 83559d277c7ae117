//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/test/program"
)

// played is what a campaign of so many kills comes to where every aim meets.
func played(kills int) *result {
	points := append(slices.Clone(commonCommits), "commit/release.created", "commit/release.succeeded")
	r := &result{database: postgreSQL, points: points, servers: []string{"server-1", "server-2"},
		processes: []string{"server-1", "server-2", "worker-1", "worker-2"}, takeovers: takeovers{orphaned: kills}, compared: kills}
	for i, c := range deck(kills, points, wholeOf(postgreSQL), seeded(1)) {
		k := kill{card: c, points: []string{c.point}, survived: true}
		if c.aimed() {
			k.victims = []string{c.role() + []string{"-1", "-2"}[i%2]}
		}
		r.kills = append(r.kills, k)
	}
	return r
}

func TestTheBarIsMetOnlyWhereEverythingWasMet(t *testing.T) {
	for _, kills := range []int{fewest, 24, 50, 1000} {
		for what, spoil := range map[string]func(*result){
			"":                             func(*result) {},
			"kills at commits":             func(r *result) { r.turn(isCommit, "route", "") },
			"kinds of commits met":         func(r *result) { r.turn(isCommit, "commit/lease", "") },
			"kills at retire":              func(r *result) { r.turn(func(p string) bool { return p == "retire" }, "route", "") },
			"kills of server-2":            func(r *result) { r.turn(isCommit, "commit/lease", "server-1") },
			"kills of server-2 at commits": func(r *result) { r.turn(isCommit, "commit/lease", "server-1") },
			"kills of worker-2": func(r *result) {
				r.turn(func(p string) bool { return slices.Contains(verbs, p) }, "", "worker-1")
			},
			"stages taken over from a dead worker":     func(r *result) { r.takeovers.orphaned = 0 },
			"releases compared with undisturbed ones":  func(r *result) { r.compared = 0 },
			"kills of " + theDatabase + " at any time": func(r *result) { r.turn(func(p string) bool { return p == anyTime }, "route", "") },
		} {
			r := played(kills)
			spoil(r)
			told := strings.Join(r.thin(kills), "; ")
			if (what == "") != (told == "") || !strings.Contains(told, what) {
				t.Errorf("of %d kills it is told %q, where it is about %q", kills, told, what)
			}
			if b := r.bar(kills); b.OK != (what == "") {
				t.Errorf("the bar is %v where too few are %q", b.OK, what)
			}
		}
	}
}

func TestFewKillsShowTooLittle(t *testing.T) {
	r := played(fewest - 1)
	if told := r.thin(fewest - 1); len(told) != 1 || r.bar(fewest-1).OK {
		t.Errorf("it is told %q", told)
	}
}

// turn makes other kills of those at some points.
func (r *result) turn(of func(point string) bool, into, victim string) {
	for i := range r.kills {
		k := &r.kills[i]
		if !of(k.card.point) {
			continue
		}
		if into != "" {
			k.card.point, k.points = into, []string{into}
		}
		if victim != "" {
			k.victims = []string{victim}
		}
	}
}

func TestACardThatWaitsInVainStaysAtAVerbOrACommit(t *testing.T) {
	cards := []card{{point: "commit/rare", moment: "after"}, {point: "retire", moment: "before", count: 2}, {point: anyTime, moment: both}}
	for range 2 {
		redeal(cards, 3)
	}
	if cards[0].point != "commit/rare" || cards[1].count != 2 {
		t.Errorf("after two rounds of three they are %+v", cards)
	}
	redeal(cards, 3)
	if !slices.Contains(commonCommits, cards[0].point) || cards[1].point != "retire" || cards[1].count != 1 || cards[2].point != anyTime {
		t.Errorf("they became %+v", cards)
	}
}

func TestAWorldThatDoesNotEndIsAFaultOfTheResult(t *testing.T) {
	r, left := played(50), errors.New("a process is left")
	if err := r.closed(left, nil); err != nil || len(r.faults) != 1 || r.bar(50).OK {
		t.Errorf("the error is %v, the faults are %q, and the bar is %v", err, r.faults, r.bar(50))
	}
	if err := (*result)(nil).closed(left, nil); !errors.Is(err, left) {
		t.Errorf("without a result the error is %v", err)
	}
}

func TestACardKillsOneOfSeveralAndIsToldOnce(t *testing.T) {
	r := &rig{dir: t.TempDir()}
	first, other := &program.Program{Name: "server-1"}, &program.Program{Name: "server-2"}
	if err := os.WriteFile(r.path("hit-7"), []byte("aims-server-2 commit/lease"), 0o600); err != nil {
		t.Fatal(err)
	}
	if id, _ := r.hit(first); id != "" {
		t.Errorf("the first one died of %s, which met the other one", id)
	}
	if id, points := r.hit(other); id != "7" || !slices.Equal(points, []string{"commit/lease"}) {
		t.Errorf("the other one died of %q at %q", id, points)
	}
	if id, _ := r.hit(other); id != "" {
		t.Errorf("it died once more of %s", id)
	}
	if _, err := os.Stat(r.path("hit-7")); err != nil {
		t.Errorf("another one may die of that card: %v", err)
	}
	if r.unhit("7"); !os.IsNotExist(func() error { _, err := os.Stat(r.path("hit-7")); return err }()) {
		t.Error("the card does not kill again")
	}
}

func TestWhichStagesWereTakenOverFromADeadWorker(t *testing.T) {
	at := func(n int64) time.Time { return time.Unix(n, 0) }
	c := &campaign{rig: &rig{dir: t.TempDir(), absences: []absence{
		{"worker-1", at(20), at(40)}, {"server-1", at(50), at(60)}, {"worker-2", at(70), at(80)}, {"worker-2", at(90), at(99)},
	}}}
	for trace, want := range map[string]takeovers{
		"10 worker-1 t1, 10 worker-2 t2, 30 worker-1 t1": {},     // other tasks
		"10 worker-1 t1, 30 worker-2 t1":                 {1, 1}, // dead
		"10 worker-1 t1, 41 worker-2 t1":                 {1, 0}, // its new life may have given it back
		"25 worker-1 t1, 30 worker-2 t1":                 {1, 1}, // given to one that had just died
		"25 worker-1 t1, 27 worker-2 t1":                 {1, 0}, // it did not hear of it
		"42 worker-1 t1, 55 worker-2 t1":                 {1, 0}, // alive; a server is dead
		"65 worker-2 t1, 75 worker-1 t1":                 {1, 1},
		"65 worker-2 t1, 95 worker-1 t1":                 {1, 0}, // dead again
	} {
		var text strings.Builder
		for _, l := range strings.Split(trace, ", ") {
			w := strings.Fields(l)
			fmt.Fprintf(&text, "100 8 lease a/p 1 %s %s %s000000000\n", w[2], w[1], w[0])
		}
		if err := os.WriteFile(c.path("trace"), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := c.takeovers(); err != nil || n != want {
			t.Errorf("of %q it counts %+v, %v", trace, n, err)
		}
	}
}

func TestTwoOfTenKilledWorkersStayAwayForLong(t *testing.T) {
	r := &rig{random: seeded(1)}
	for range 10 {
		n := 0
		for range 10 {
			if r.long() {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d of ten did", n)
		}
	}
}

func TestStepsAreComparedWithUndisturbedOnes(t *testing.T) {
	c := &campaign{steps: map[string][]string{}}
	f := newFlight(&service{name: "till"}, good, 1)
	if wrong := c.checkSteps(f, []string{"a", "b"}); wrong != nil {
		t.Errorf("the undisturbed one: %q", wrong)
	}
	c.seen = true
	if wrong := c.checkSteps(f, []string{"a", "b"}); wrong != nil || c.compared != 1 {
		t.Errorf("the same steps: %q, and %d were compared", wrong, c.compared)
	}
	if wrong := c.checkSteps(f, []string{"a"}); len(wrong) != 1 {
		t.Errorf("other steps: %q", wrong)
	}
	if wrong := c.checkSteps(newFlight(f.service, bad, 2), []string{"a"}); len(wrong) != 1 {
		t.Errorf("a kind that was not seen: %q", wrong)
	}
}
