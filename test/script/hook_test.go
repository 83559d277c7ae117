package script

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// hook is a chat that gets messages. It can be made slow, or to refuse.
type hook struct {
	server *httptest.Server

	mu     sync.Mutex
	status int
	delay  time.Duration
	got    []string
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	status, delay := h.status, h.delay
	if status < 300 {
		h.got = append(h.got, r.Header.Get("Idempotency-Key")+" "+string(body))
	}
	h.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
	}
	w.WriteHeader(status)
}

// hook NAME open | status CODE | slow DURATION | got COUNT TEXT: a webhook, its address
// in the variable of its name. With `got` it waits for that many messages with the text.
func hookCommand(ts *script, _ bool, args []string) {
	s := of(ts)
	if len(args) < 2 {
		ts.Fatalf("usage: hook NAME open | status CODE | slow DURATION | got COUNT TEXT")
	}
	h := s.hooks[args[0]]
	if args[1] == "open" {
		h = &hook{status: http.StatusNoContent}
		h.server = httptest.NewServer(h)
		if s.hooks == nil {
			s.hooks = map[string]*hook{}
		}
		s.hooks[args[0]] = h
		ts.Setenv(args[0], h.server.URL)
		return
	}
	if h == nil {
		ts.Fatalf("there is no hook %s", args[0])
	}
	switch args[1] {
	case "status":
		h.set(func() { _, err := fmt.Sscan(args[2], &h.status); ts.Check(err) })
	case "slow":
		d, err := time.ParseDuration(args[2])
		ts.Check(err)
		h.set(func() { h.delay = d })
	case "got":
		var want int
		_, err := fmt.Sscan(args[2], &want)
		ts.Check(err)
		got := h.await(want, strings.Join(args[3:], " "))
		fmt.Fprintln(ts.Stdout(), strings.Join(got, "\n"))
		if len(got) != want {
			ts.Fatalf("%d messages came, not %d", len(got), want)
		}
	}
}

func (h *hook) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// await waits until enough messages with the text have come, and returns them.
func (h *hook) await(count int, text string) []string {
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		var found []string
		h.set(func() {
			for _, m := range h.got {
				if strings.Contains(m, text) {
					found = append(found, m)
				}
			}
		})
		if len(found) >= count || time.Now().After(end) {
			return found
		}
	}
}
