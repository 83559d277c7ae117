package router_test

import (
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/router"
)

// drilled is a split with a fault on the canary.
func drilled(weight int, stable, canary router.Backend, f router.Fault) router.Route {
	r := split(weight, []router.Backend{stable}, []router.Backend{canary})
	r.Home = "v1"
	if f.Until.IsZero() {
		f.Until = time.Now().Add(time.Hour)
	}
	r.Arms[1].Fault = &f
	return r
}

// counted waits until n requests are counted: that comes after their answer.
func (p *process) counted(t *testing.T, n int64) map[string]router.ArmCounters {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		counters, err := p.Counters(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		arms, sum := counters.Routes[target].Arms, int64(0)
		for _, a := range arms {
			sum += a.Requests
		}
		if sum >= n || time.Now().After(end) {
			return arms
		}
	}
}

func TestAFaultStrikesItsShareOfItsArmOnly(t *testing.T) {
	for name, make := range map[string]func(*testing.T) *http.Client{"HTTP/1.1": client, "HTTP/2": h2c} {
		t.Run(name, func(t *testing.T) {
			p := start(t, stateDir(t))
			url, c := p.put(t, drilled(500_000, instance(t, "v1"), instance(t, "v2"), router.Fault{ErrorShare: 300_000})), make(t)
			const n = 3000
			struck := 0
			for range n {
				status, body := fetch(t, c, url)
				switch {
				case status == http.StatusServiceUnavailable && strings.Contains(body, "drill"):
					struck++
				case status != http.StatusOK:
					t.Fatalf("answered %d: %s", status, body)
				}
			}
			if limit := 5 * math.Sqrt(n*0.15*0.85); math.Abs(float64(struck)-0.15*n) > limit {
				t.Errorf("%d of %d were struck, want %v ± %.0f", struck, n, 0.15*n, limit)
			}
			arms := p.counted(t, n)
			if got := arms["v2"].Errors; got.Status != int64(struck) || got.Total() != int64(struck) {
				t.Errorf("the canary counts %+v errors, want %d", got, struck)
			}
			if got := arms["v1"]; got.Errors.Total() != 0 || got.Requests+arms["v2"].Requests != n {
				t.Errorf("stable counts %d errors; both arms %d requests", got.Errors.Total(), got.Requests+arms["v2"].Requests)
			}
		})
	}
}

func TestAFaultWithABodyKeepsTheConnection(t *testing.T) {
	p := start(t, stateDir(t))
	url := p.put(t, drilled(router.Whole-1, instance(t, "v1"), instance(t, "v2"), router.Fault{ErrorShare: router.Whole}))
	c := client(t)
	for range 20 {
		res, err := c.Post(url, "text/plain", strings.NewReader(strings.Repeat("x", 300_000)))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("answered %d", res.StatusCode)
		}
	}
}

func TestAFaultHoldsAnswersBack(t *testing.T) {
	slow := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(100 * time.Millisecond) }))
	for name, make := range map[string]func(*testing.T) *http.Client{"HTTP/1.1": client, "HTTP/2": h2c} {
		for what, f := range map[string]router.Fault{"delay": {Delay: 100 * time.Millisecond}, "twice as slow": {Slower: router.Whole}} {
			t.Run(name+", "+what, func(t *testing.T) {
				p := start(t, stateDir(t))
				url, c := p.put(t, drilled(router.Whole-1, instance(t, "v1"), slow, f)), make(t)
				began := time.Now()
				if status, _ := fetch(t, c, url); status != http.StatusOK {
					t.Fatalf("answered %d", status)
				}
				if took := time.Since(began); took < 200*time.Millisecond {
					t.Errorf("it took %s, want 200ms or more", took)
				}
				if l := p.counted(t, 1)["v2"].Latency; l.Seconds < 0.2 {
					t.Errorf("the latency that is counted is %v s", l.Seconds)
				}
			})
		}
	}
}

func TestAFaultEndsByItself(t *testing.T) {
	p := start(t, stateDir(t))
	ends := time.Now().Add(300 * time.Millisecond)
	url := p.put(t, drilled(router.Whole-1, instance(t, "v1"), instance(t, "v2"), router.Fault{ErrorShare: router.Whole, Until: ends}))
	c := client(t)
	if status, _ := fetch(t, c, url); status != http.StatusServiceUnavailable && time.Now().Before(ends) {
		t.Errorf("before its end it answered %d", status)
	}
	time.Sleep(time.Until(ends) + time.Millisecond)
	if status, _ := fetch(t, c, url); status != http.StatusOK {
		t.Errorf("after its end it answered %d", status)
	}
}

func TestAFaultIsNotKeptOnDisk(t *testing.T) {
	dir := stateDir(t)
	p := start(t, dir)
	url := p.put(t, drilled(router.Whole-1, instance(t, "v1"), instance(t, "v2"), router.Fault{ErrorShare: router.Whole}))
	c := client(t)
	if status, _ := fetch(t, c, url); status != http.StatusServiceUnavailable {
		t.Fatalf("answered %d", status)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "table.json"))
	if err != nil || strings.Contains(string(raw), "errorShare") {
		t.Errorf("on disk is %s, %v", raw, err)
	}
	start(t, dir) // takes over; the one before may still answer what had reached it
	status := 0
	for end := time.Now().Add(20 * time.Second); status != http.StatusOK && time.Now().Before(end); {
		status, _ = fetch(t, client(t), url)
	}
	if status != http.StatusOK {
		t.Errorf("after a hand-over it answers %d", status)
	}
}

func TestAFaultIsRefusedWhereItWouldMeetEverybody(t *testing.T) {
	p := start(t, stateDir(t))
	v1, v2 := instance(t, "v1"), instance(t, "v2")
	ok := router.Fault{ErrorShare: 1}
	everything := drilled(router.Whole, v1, v2, ok)
	home := drilled(500_000, v1, v2, ok)
	home.Home = "v2"
	fenced := drilled(500_000, v1, v2, ok)
	for name, r := range map[string]router.Route{
		"all the traffic": everything, "the home": home,
		"nothing":       drilled(1, v1, v2, router.Fault{}),
		"no end":        func() router.Route { r := drilled(1, v1, v2, ok); r.Arms[1].Fault.Until = time.Time{}; return r }(),
		"too long":      drilled(1, v1, v2, router.Fault{ErrorShare: 1, Until: time.Now().Add(25 * time.Hour)}),
		"too much":      drilled(1, v1, v2, router.Fault{ErrorShare: router.Whole + 1}),
		"too slow":      drilled(1, v1, v2, router.Fault{Delay: time.Minute}),
		"less than now": drilled(1, v1, v2, router.Fault{Slower: -1}),
	} {
		if _, err := p.PutRoute(t.Context(), target, r); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	fenced.Fence = 5
	p.put(t, fenced)
	fenced.Fence = 4
	if _, err := p.PutRoute(t.Context(), target, fenced); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("an older fence: %v", err)
	}
}
