package store

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// A run in many regions is large, and is read with every report of each of them, most of
// which change nothing about it.
const (
	// leastKept is the least size of a run that is kept, in bytes: others are read as fast.
	leastKept = 32 << 10
	mostKept  = 16
)

// runCache keeps the large runs that were read last, decoded. What is kept belongs to the
// text that it was read from, so nothing in here grows stale.
type runCache struct {
	mu     sync.Mutex
	recent []keptRun // the latest first
}

type keptRun struct {
	body string
	run  pipeline.Run
}

// decode reads a run as it is stored. A large one is shared: pipeline.Next copies what it
// changes, and nobody else may change it.
func (c *runCache) decode(body string) (run pipeline.Run, err error) {
	if len(body) < leastKept {
		err = json.Unmarshal([]byte(body), &run)
		return run, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.recent, func(k keptRun) bool { return k.body == body }); i >= 0 {
		kept := c.recent[i]
		c.recent = slices.Insert(slices.Delete(c.recent, i, i+1), 0, kept)
		return kept.run, nil
	}
	if err := json.Unmarshal([]byte(body), &run); err != nil {
		return run, err
	}
	c.recent = slices.Insert(c.recent, 0, keptRun{body, run})
	if len(c.recent) > mostKept {
		c.recent = slices.Delete(c.recent, mostKept, len(c.recent))
	}
	return run, nil
}
