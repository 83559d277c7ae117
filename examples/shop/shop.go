package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// shop answers as its traits say. Carts are kept in memory, by user.
type shop struct {
	traits
	log *slog.Logger

	mu    sync.Mutex
	carts map[string][]string
	spare float64   // requests that it can answer at once
	since time.Time // when that was so
}

func newShop(t traits, log *slog.Logger) http.Handler {
	s := &shop{traits: t, log: log, carts: map[string][]string{}, spare: t.bears}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthy)
	mux.HandleFunc("GET /{$}", s.lifelike(s.welcome))
	mux.HandleFunc("GET /products", s.lifelike(s.products))
	mux.HandleFunc("GET /products/{id}", s.lifelike(s.product))
	mux.HandleFunc("GET /cart", s.lifelike(s.cart))
	mux.HandleFunc("POST /cart/{id}", s.lifelike(s.addToCart))
	return mux
}

// healthy is neither slow nor faulty: a bad version passes its readiness check, as in life.
func (s *shop) healthy(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, http.StatusOK, map[string]any{"ok": true})
}

// faultHeader marks what a version does wrong and others do not, so that who measures
// can count the harm of a release apart from that of an ordinary day.
const faultHeader = "Shop-Fault"

// lifelike gives an answer the latency and the faults of the version.
func (s *shop) lifelike(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.admit(time.Now()) {
			s.answer(w, http.StatusServiceUnavailable, map[string]any{"error": "too many customers"})
			return
		}
		timer := time.NewTimer(latency(s.slower, s.tail) + s.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
		luck := rand.Float64()
		if luck < s.faults || s.delay > 0 {
			w.Header().Set(faultHeader, "injected")
		}
		if luck < s.faults+s.base {
			s.log.Error("could not price the basket", "path", r.URL.Path)
			s.answer(w, http.StatusInternalServerError, map[string]any{"error": "could not price the basket"})
			return
		}
		next(w, r)
	}
}

// admit tells whether the shop bears one more request; what it did not use of the last
// second is kept.
func (s *shop) admit(now time.Time) bool {
	if s.bears == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = min(s.bears, s.spare+s.bears*now.Sub(s.since).Seconds())
	s.since = now
	if s.spare < 1 {
		return false
	}
	s.spare--
	return true
}

// latency is lognormal with a median of 3 ms; some requests, a share called the tail, wait
// for something slow behind the shop and take 20 ms or more on top.
func latency(slower, tail float64) time.Duration {
	const median, sigma = 3.0, 0.35
	ms := median * math.Exp(sigma*rand.NormFloat64())
	if rand.Float64() < tail {
		ms += 20 + rand.ExpFloat64()*15
	}
	return time.Duration(ms * slower * float64(time.Millisecond))
}

func (s *shop) welcome(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, http.StatusOK, map[string]any{"shop": "Fairway's example shop", "offers": catalogue})
}

func (s *shop) products(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, http.StatusOK, map[string]any{"products": catalogue})
}

func (s *shop) product(w http.ResponseWriter, r *http.Request) {
	for _, p := range catalogue {
		if p.ID == r.PathValue("id") {
			s.answer(w, http.StatusOK, p)
			return
		}
	}
	s.answer(w, http.StatusNotFound, map[string]any{"error": "there is no such product"})
}

func (s *shop) cart(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	items := slices.Clone(s.carts[user(r)])
	s.mu.Unlock()
	s.answer(w, http.StatusOK, map[string]any{"items": items, "recommended": catalogue})
}

func (s *shop) addToCart(w http.ResponseWriter, r *http.Request) {
	const most = 100 // per cart and of carts, so that a load test cannot fill the memory
	s.mu.Lock()
	if len(s.carts) >= most {
		clear(s.carts)
	}
	items := append(s.carts[user(r)], r.PathValue("id"))
	items = items[max(0, len(items)-most):]
	s.carts[user(r)] = items
	items = slices.Clone(items)
	s.mu.Unlock()
	s.answer(w, http.StatusCreated, map[string]any{"items": items})
}

func user(r *http.Request) string {
	if c, err := r.Cookie("user"); err == nil {
		return c.Value
	}
	return "guest"
}

// answer writes JSON that names the version, in the body and in a header.
func (s *shop) answer(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Shop-Version", s.version)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"version": s.version, "content": content})
}

type product struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Cents int    `json:"cents"`
	About string `json:"about"`
}

var catalogue = func() []product {
	names := []string{"Anchor", "Buoy", "Chart", "Dinghy", "Ensign", "Fender", "Gaff"}
	var all []product
	for n, name := range names {
		all = append(all, product{
			ID: strings.ToLower(name), Name: name, Cents: 995 + 1250*n,
			About: fmt.Sprintf("A %s for fair weather and foul, tested in harbour and at sea.", strings.ToLower(name)),
		})
	}
	return all
}()
