package worker

import (
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/fairwayhq/fairway/internal/fault"
)

// complaints tell why there are no tasks: when that changes, and once a minute.
type complaints struct {
	log *slog.Logger

	mu   sync.Mutex
	said string
	at   time.Time
}

func (c *complaints) tell(err error) {
	text := fault.MessageWithHint(err)
	wordsOnly := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) { // of a time, for instance
			return -1
		}
		return r
	}, text)
	c.mu.Lock()
	defer c.mu.Unlock()
	if wordsOnly == c.said && time.Since(c.at) < time.Minute {
		return
	}
	c.said, c.at = wordsOnly, time.Now()
	c.log.Warn("The worker gets no tasks, and goes on trying.", "error", text)
}

// forget makes the same complaint worth telling again.
func (c *complaints) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = ""
}
