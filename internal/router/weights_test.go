package router_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/cookiejar"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/router"
)

func TestTheRealisedShareIsWithinBinomialError(t *testing.T) {
	p := start(t, stateDir(t))
	v1, v2 := instance(t, "v1"), instance(t, "v2")
	for _, weight := range []int{10_000, 250_000, 500_000} {
		url := p.put(t, split(weight, []router.Backend{v1}, []router.Backend{v2}))
		c, n, canary := client(t), 4000, 0
		for range n {
			if _, body := fetch(t, c, url); body == "v2" {
				canary++
			}
		}
		share := float64(weight) / router.Whole
		// Five standard deviations: one in two million runs is outside.
		if limit := 5 * math.Sqrt(float64(n)*share*(1-share)); math.Abs(float64(canary)-float64(n)*share) > limit {
			t.Errorf("weight %d: the canary got %d of %d, want %.0f ± %.0f", weight, canary, n, float64(n)*share, limit)
		}
	}
}

func TestWithoutWeightAnArmGetsNothing(t *testing.T) {
	p := start(t, stateDir(t))
	url := p.put(t, split(0, []router.Backend{instance(t, "v1")}, []router.Backend{instance(t, "v2")}))
	c := client(t)
	for range 200 {
		if _, body := fetch(t, c, url); body != "v1" {
			t.Fatalf("got %q, want v1 only", body)
		}
	}
}

func TestStickyHeadersOnlyMoveToTheArmThatGrows(t *testing.T) {
	p := start(t, stateDir(t))
	v1, v2 := []router.Backend{instance(t, "v1")}, []router.Backend{instance(t, "v2")}
	c, onCanary := client(t), map[string]bool{}
	for _, weight := range []int{100_000, 300_000, 700_000} {
		r := split(weight, v1, v2)
		r.Sticky = &router.Sticky{Header: "X-User"}
		url := p.put(t, r)
		canary := 0
		for u := range 300 {
			user := fmt.Sprint("user-", u)
			_, first := fetch(t, c, url, "X-User", user)
			if _, again := fetch(t, c, url, "X-User", user); again != first {
				t.Fatalf("%s met %s and then %s at one weight", user, first, again)
			}
			if onCanary[user] && first != "v2" {
				t.Fatalf("%s was moved back from the canary at weight %d", user, weight)
			}
			if onCanary[user] = first == "v2"; onCanary[user] {
				canary++
			}
		}
		want := 300 * float64(weight) / router.Whole
		if math.Abs(float64(canary)-want) > 50 {
			t.Errorf("weight %d: %d of 300 users on the canary, want about %.0f", weight, canary, want)
		}
	}
}

func TestStickyCookieIsSetOnceAndKept(t *testing.T) {
	p := start(t, stateDir(t))
	r := split(500_000, []router.Backend{instance(t, "v1")}, []router.Backend{instance(t, "v2")})
	r.Sticky = &router.Sticky{Cookie: "fairway", MaxAge: 3600e9}
	url := p.put(t, r)
	for range 10 {
		c := client(t)
		c.Jar, _ = cookiejar.New(nil)
		_, first := fetch(t, c, url)
		for range 10 {
			res, err := c.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if string(body) != first {
				t.Fatalf("met %s after %s with the same cookie", body, first)
			}
			if got := res.Header["Set-Cookie"]; len(got) > 0 {
				t.Fatalf("the cookie was set again: %v", got)
			}
		}
	}
}

func TestAnOlderFenceIsRefused(t *testing.T) {
	p := start(t, stateDir(t))
	r := whole("v1", instance(t, "v1"))
	r.Fence = 5
	url := p.put(t, r)
	r.Fence = 4
	_, err := p.PutRoute(t.Context(), target, r)
	if !errors.Is(err, router.ErrFenced) || fault.CodeOf(err) != fault.Conflict {
		t.Errorf("an older fence gave %v, want a conflict with ErrFenced", err)
	}
	if err := p.DeleteRoute(t.Context(), target, 4); !errors.Is(err, router.ErrFenced) {
		t.Errorf("a delete with an older fence gave %v", err)
	}
	if _, err := p.Claim(t.Context(), target, router.Claim{Fence: 9, Holder: "w2"}); err != nil {
		t.Fatal(err)
	}
	r.Fence = 5
	if _, err := p.PutRoute(t.Context(), target, r); !errors.Is(err, router.ErrFenced) {
		t.Errorf("a fence older than a claim gave %v", err)
	}
	if status, _ := fetch(t, client(t), url); status != http.StatusOK {
		t.Errorf("the route answers %d after refused updates", status)
	}
	if err := p.DeleteRoute(t.Context(), target, 9); err != nil {
		t.Fatal(err)
	}
	if _, err := p.PutRoute(t.Context(), target, r); !errors.Is(err, router.ErrFenced) {
		t.Errorf("a deleted route forgot its fence: %v", err)
	}
}

func TestImpossibleRoutesAreRefused(t *testing.T) {
	p := start(t, stateDir(t))
	v1 := []router.Backend{{Address: "127.0.0.1:1"}}
	for name, change := range map[string]func(*router.Route){
		"weights that do not sum to the whole": func(r *router.Route) { r.Arms[0].Weight = 999_999 },
		"a negative weight":                    func(r *router.Route) { r.Arms[0].Weight = -1; r.Arms[1].Weight = router.Whole + 1 },
		"weight without a backend":             func(r *router.Route) { r.Arms[0].Backends = nil },
		"a revision twice":                     func(r *router.Route) { r.Arms[1].Revision = "v1" },
		"a revision with a line break":         func(r *router.Route) { r.Arms[0].Revision = "v1\r\nX: y" },
		"no arms":                              func(r *router.Route) { r.Arms = nil },
		"no address to listen on":              func(r *router.Route) { r.Listen = "" },
		"a backend that is not an address":     func(r *router.Route) { r.Arms[0].Backends = []router.Backend{{Address: "nowhere"}} },
		"stickiness by nothing":                func(r *router.Route) { r.Sticky = &router.Sticky{} },
		"TLS without a certificate":            func(r *router.Route) { r.TLS = true },
	} {
		t.Run(name, func(t *testing.T) {
			r := split(0, v1, nil)
			change(&r)
			if _, err := p.PutRoute(t.Context(), target, r); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("got %v, want invalid", err)
			}
		})
	}
	table, err := p.Table(t.Context())
	if err != nil || len(table.Routes) != 0 {
		t.Errorf("refused routes left a table of %v (%v)", table.Routes, err)
	}
}

func TestHostsShareAnAddress(t *testing.T) {
	p := start(t, stateDir(t))
	r := whole("a1", instance(t, "a"))
	r.Hosts = []string{"a.example"}
	url := p.put(t, r)
	b := whole("b1", instance(t, "b"))
	b.Listen = url[len("http://"):]
	b.Hosts = []string{"b.example"}
	if _, err := p.PutRoute(t.Context(), "b/production", b); err != nil {
		t.Fatal(err)
	}
	b.Hosts = []string{"a.example"}
	if _, err := p.PutRoute(t.Context(), "c/production", b); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a host that is taken gave %v, want a conflict", err)
	}
	for host, want := range map[string]string{"a.example": "a", "B.example:80": "b", "c.example": "no route"} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		req.Host = host
		res, err := client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if got := string(body); got != want && got != want+"\n" {
			t.Errorf("host %s got %q, want %q", host, got, want)
		}
	}
}

func TestHomeIsTheRevisionThatLastHadEverything(t *testing.T) {
	p := start(t, stateDir(t))
	v1, v2 := []router.Backend{instance(t, "v1")}, []router.Backend{instance(t, "v2")}
	for _, step := range []struct {
		weight int
		home   string
	}{{0, "v1"}, {500_000, "v1"}, {950_000, "v1"}, {router.Whole, "v2"}, {500_000, "v2"}} {
		r, err := p.PutRoute(t.Context(), target, split(step.weight, v1, v2))
		if err != nil {
			t.Fatal(err)
		}
		if r.Home != step.home {
			t.Errorf("at weight %d home is %q, want %q", step.weight, r.Home, step.home)
		}
	}
}

func TestAKeeperReplacesAnInstanceWithoutALease(t *testing.T) {
	p := start(t, stateDir(t))
	url := p.put(t, whole("v1", router.Backend{Address: "127.0.0.1:1"}))
	r, err := p.Route(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	fresh := []router.Backend{instance(t, "v1")}
	stale := router.BackendsUpdate{Generation: r.Generation - 1, Backends: fresh}
	if _, err := p.PutBackends(t.Context(), target, "v1", stale); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a stale generation gave %v, want a conflict", err)
	}
	got, err := p.PutBackends(t.Context(), target, "v1", router.BackendsUpdate{Generation: r.Generation, Backends: fresh})
	if err != nil {
		t.Fatal(err)
	}
	if got.Fence != r.Fence || got.Arms[0].Weight != router.Whole {
		t.Errorf("the keeper changed fence or weight: %+v", got)
	}
	if _, body := fetch(t, client(t), url); body != "v1" {
		t.Errorf("got %q from the replaced instance", body)
	}
	empty := router.BackendsUpdate{Generation: got.Generation}
	if _, err := p.PutBackends(t.Context(), target, "v1", empty); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("taking the last backend of an arm with weight gave %v, want invalid", err)
	}
}
