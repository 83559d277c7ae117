//go:build linux

package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/router"
	"github.com/fairwayhq/fairway/test/postgres"
)

var kills = flag.Int("kills", 50, "how often to kill with each database")

// These two are the command in its short form.
func TestEveryReleaseEndsAsItWouldHave(t *testing.T) { shortly(t, sqlite) }

func TestEveryReleaseOfTwoServersOnPostgreSQLEndsAsItWouldHave(t *testing.T) {
	if why := postgres.Missing(); why != "" {
		t.Skip(why)
	}
	shortly(t, postgreSQL)
}

func shortly(t *testing.T, database string) {
	if testing.Short() {
		t.Skip("it starts servers, workers and services, and takes some minutes")
	}
	t.Chdir("../..")
	o := options{
		kills: *kills, seed: uint64(time.Now().UnixNano()), limit: 18 * time.Minute, brief: true, out: t.Output(), database: database,
	}
	r, err := run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	r.print(o)
	if len(r.kills) != *kills {
		t.Errorf("%d kills happened, not %d", len(r.kills), *kills)
	}
	for _, f := range append(r.faults, r.thin(*kills)...) {
		t.Error(f)
	}
}

// Also a short campaign meets whatever can be killed, every verb, and as many kinds of commits
// as it has kills for.
func TestAShortDeckMeetsEachKindOnce(t *testing.T) {
	var commits []string
	for i := range 20 {
		commits = append(commits, fmt.Sprintf("commit/%d", i))
	}
	for kills, want := range map[int]struct{ pairs, commits int }{15: {5, 5}, 50: {15, 20}} {
		for seed := range uint64(20) {
			cards := deck(kills, commits, wholeOf(postgreSQL), seeded(seed))
			if len(cards) != kills {
				t.Fatalf("a deck of %d has %d cards", kills, len(cards))
			}
			met, pairs, kinds := map[string]bool{}, map[string]bool{}, map[string]bool{}
			for _, c := range cards {
				met[c.point], met[c.moment] = true, true
				switch {
				case c.role() == aServer:
					kinds[c.point] = true
				case c.aimed():
					pairs[c.moment+" "+c.point] = true
				}
			}
			for _, w := range append(wholeOf(postgreSQL), verbs...) {
				if !met[w] {
					t.Errorf("%d kills with seed %d: no card for %q", kills, seed, w)
				}
			}
			if len(pairs) != want.pairs || len(kinds) != want.commits {
				t.Errorf("%d kills with seed %d: %d pairs of verb and moment, not %d; %d kinds of commits, not %d", kills, seed, len(pairs), want.pairs, len(kinds), want.commits)
			}
		}
	}
}

func TestTheDeckMeetsEveryPoint(t *testing.T) {
	commits := []string{"commit/lease", "commit/stage.passed", "commit/release.created"}
	cards := deck(200, commits, whole, seeded(1))
	if len(cards) != 200 {
		t.Fatalf("the deck has %d cards", len(cards))
	}
	met, ids := map[string]int{}, map[int]bool{}
	for _, c := range cards {
		met[c.point+" "+c.moment]++
		ids[c.id] = true
	}
	for _, p := range append(commits, verbs...) {
		for _, m := range moments {
			if met[p+" "+m] < 5 {
				t.Errorf("%s %s is met %d times", m, p, met[p+" "+m])
			}
		}
	}
	for _, w := range whole {
		if met[anyTime+" "+w] < 10 {
			t.Errorf("%s is killed at any time %d times", w, met[anyTime+" "+w])
		}
	}
	if len(ids) != 200 {
		t.Errorf("the cards have %d different IDs", len(ids))
	}
}

func TestTheTableCountsSurvivors(t *testing.T) {
	var out bytes.Buffer
	printTable(&out, []kill{
		{card: card{point: "route", moment: "during"}, points: []string{"route"}, survived: true},
		{card: card{point: "route", moment: "during"}, points: []string{"route"}},
		{card: card{point: "commit/a", moment: "after"}, points: []string{"commit/a", "commit/b"}, survived: true},
		{card: card{point: anyTime, moment: "both"}, points: []string{anyTime}, survived: true},
	})
	for _, want := range []string{"at verbs: 2, at commits: 1, at any time: 1", "route", "1/2", "commit/b", "1/1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, out.String())
		}
	}
}

func TestWhatIsNotAsItShouldBeIsFound(t *testing.T) {
	c := &campaign{rig: &rig{dir: t.TempDir()}}
	for trace, wrong := range map[string]bool{
		"2 8 lease shop/production 5 t1 worker-1 1\n4 9 lease shop/production 6 t1 worker-2 3\n": false,
		"2 8 lease shop/production 5 t1 worker-1 1\n4 9 lease shop/production 5 t1 worker-2 3\n": true,  // twice
		"2 8 lease shop/production 6 t1 worker-1 1\n4 9 lease shop/production 5 t1 worker-2 3\n": true,  // back
		"4 8 lease shop/production 6 t1 worker-1 3\n9 9 lease shop/production 5 t1 worker-2 1\n": false, // it took so long to say it
		"3 8 verb route shop/production 7 ok 2\n5 9 verb place shop/production 6 ok 4\n":         true,
		"3 8 verb route shop/production 7 ok 2\n5 9 verb place shop/production 6 fenced 4\n":     false,
		"3 8 verb route shop/production 7 ok 2\n5 9 verb place shop/production 6 ok 1\n":         false, // at the same time
		"3 8 verb route shop/production 7 ok 2\n5 9 verb place bank/production 6 ok 4\n":         false,
	} {
		if err := os.WriteFile(c.path("trace"), []byte(trace), 0o600); err != nil {
			t.Fatal(err)
		}
		if faults := c.checkFences(); (len(faults) > 0) != wrong {
			t.Errorf("of this trace it is told %q:\n%s", faults, trace)
		}
	}
}

func TestAWrongTableIsNoticed(t *testing.T) {
	s := &sampler{fences: map[string]int64{}}
	route := router.Route{Fence: 4, Arms: []router.Arm{{Revision: "a", Weight: 0}}}
	s.lookAtRoute(t.Context(), "shop/production", route)
	route.Fence = 3
	s.lookAtRoute(t.Context(), "shop/production", route)
	if wrong := s.take(); len(wrong) != 3 { // the sum, twice, and the fence
		t.Errorf("noticed %q", wrong)
	}
	if wrong := s.take(); len(wrong) != 0 {
		t.Errorf("told twice: %q", wrong)
	}
}

func TestAWorkingFolderNamesItsTarget(t *testing.T) {
	target, revision := splitWork("/d/host", "/d/host/targets/shop@production@/revisions/@r-1/work")
	if target != "shop/production" || revision != "r-1" {
		t.Errorf("it belongs to %q, revision %q", target, revision)
	}
}

func TestAnEffectHappensOnceAndIsUndoneAfterwards(t *testing.T) {
	c := &campaign{rig: &rig{dir: t.TempDir()}}
	passed := client.Event{Kind: "stage.passed", Environment: "production:bank", Stage: "migrate"}
	undone := client.Event{Kind: "stage.undone", Environment: "production:bank", Stage: "migrate"}
	of := func(name string) *service { return &service{name: name, places: []place{{name: "production"}}} }
	bank, shop := of("bank"), of("shop")
	shop.with = bank
	plan := &pipeline.Plan{Service: "shop", Environments: []pipeline.Environment{
		{Name: "production:bank", Service: "bank"}, {Name: "production:shop", Service: "shop"},
	}}
	for _, tc := range []struct {
		done  string
		lines []client.Event
		wrong bool
	}{
		{"do-begins do", []client.Event{passed}, false},
		{"do-begins do undo-begins undo", []client.Event{passed, undone}, false},
		{"", nil, false},
		{"", []client.Event{passed}, true},
		{"do-begins do", nil, true},
		{"do-begins do-begins do do", []client.Event{passed}, true},
		{"do-begins undo-begins do undo", []client.Event{passed, undone}, true},
	} {
		var effects strings.Builder
		for _, done := range strings.Fields(tc.done) {
			effects.WriteString(done + " r1 bank/production\n" + done + " r2 bank/production\n" + done + " r1 till/production\n")
		}
		if err := os.WriteFile(c.path("effects"), []byte(effects.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		f := &flight{events: tc.lines, service: shop}
		f.detail.ID, f.detail.Plan = "r1", plan
		if wrong := c.checkEffects(f); (len(wrong) > 0) != tc.wrong {
			t.Errorf("%q with %d lines: %q", tc.done, len(tc.lines), wrong)
		}
	}
}
