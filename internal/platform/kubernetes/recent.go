package kubernetes

import (
	"sync"
	"time"
)

// recent remembers texts about pods for a while, so that what is looked at every second is
// not asked about every second, and pods that are gone are forgotten.
type recent struct {
	mu    sync.Mutex
	texts map[string]remembered
	swept time.Time
}

type remembered struct {
	text string
	at   time.Time
}

const (
	// rememberedFor is how long a text is, emptyFor how long that there was none.
	rememberedFor = 10 * time.Minute
	emptyFor      = time.Minute
)

func newRecent() *recent { return &recent{texts: map[string]remembered{}} }

func (r *recent) load(key string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, ok := r.texts[key]
	if !ok || m.over(time.Now()) {
		return "", false
	}
	return m.text, true
}

func (r *recent) store(key, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.swept) > emptyFor {
		for k, m := range r.texts {
			if m.over(now) {
				delete(r.texts, k)
			}
		}
		r.swept = now
	}
	r.texts[key] = remembered{text, now}
}

func (m remembered) over(now time.Time) bool {
	if m.text == "" {
		return now.Sub(m.at) > emptyFor
	}
	return now.Sub(m.at) > rememberedFor
}
