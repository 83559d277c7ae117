package worker

import (
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/fairwayhq/fairway/internal/fault"
)

// complaints tell why a wish for tasks gets none: when that changes, and once a minute.
type complaints struct {
	log  *slog.Logger
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
	if wordsOnly == c.said && time.Since(c.at) < time.Minute {
		return
	}
	c.said, c.at = wordsOnly, time.Now()
	c.log.Warn("The worker gets no tasks, and goes on trying.", "error", text)
}

// forget makes the same complaint worth telling again.
func (c *complaints) forget() { c.said = "" }
