package main

import (
	"encoding/json"
	"net"
	"net/http"
	"sync"
)

// hooks takes the notifications, and tells them apart by their keys: a message
// may come twice, but not as two.
type hooks struct {
	url    string
	server *http.Server

	mu   sync.Mutex
	keys map[string]map[string]bool // release → keys
}

func listenHooks() (*hooks, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &hooks{url: "http://" + l.Addr().String() + "/hook", keys: map[string]map[string]bool{}}
	h.server = &http.Server{Handler: h}
	go func() { _ = h.server.Serve(l) }()
	return h, nil
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ Release string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.keys[body.Release] == nil {
		h.keys[body.Release] = map[string]bool{}
	}
	h.keys[body.Release][r.Header.Get("Idempotency-Key")] = true
}

// messages is how many different messages came about the release.
func (h *hooks) messages(release string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.keys[release])
}

func (h *hooks) close() { _ = h.server.Close() }
