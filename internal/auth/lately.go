package auth

import (
	"sync"
	"time"
)

// latelyFor is how long a worker whose token was just looked up is known without
// another look. Workers report every second for each of their tasks; people come
// seldom, and are looked up each time. A revoked worker's token opens nothing after it.
const latelyFor = time.Second

// mostLately is when everything known is forgotten at once.
const mostLately = 10_000

// lately are the workers that were looked up a moment ago, by what they showed.
type lately struct {
	mu   sync.Mutex
	seen map[string]sighting
}

type sighting struct {
	who   Identity
	until time.Time
}

// find returns who showed the bearer token, if that is known still.
func (l *lately) find(bearer string, now time.Time) (Identity, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.seen[hashOf(bearer)]
	if !ok || !now.Before(s.until) || now.Before(s.until.Add(-latelyFor)) {
		return Identity{}, false
	}
	return s.who, true
}

// note keeps a worker that was just looked up.
func (l *lately) note(bearer string, who Identity, now time.Time) {
	if !who.Worker {
		return
	}
	until := now.Add(latelyFor)
	if end := who.Token.ExpiresAt; !end.IsZero() && end.Before(until) {
		until = end
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil || len(l.seen) >= mostLately {
		l.seen = map[string]sighting{}
	}
	l.seen[hashOf(bearer)] = sighting{who, until}
}

// forget makes everybody be looked up again.
func (l *lately) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = nil
}
