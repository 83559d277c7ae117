package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// group runs the parts of a process: when one ends with an error, all are stopped.
type group struct {
	stop context.CancelFunc
	all  sync.WaitGroup
	mu   sync.Mutex
	errs []error
	ends []func()
}

func (g *group) run(name string, f func() error) {
	g.all.Add(1)
	go func() {
		defer g.all.Done()
		if err := f(); err != nil {
			g.mu.Lock()
			g.errs = append(g.errs, fmt.Errorf("%s: %w", name, err))
			g.mu.Unlock()
			g.stop()
		}
	}()
}

// after has something done when all parts have ended.
func (g *group) after(end func()) { g.ends = append(g.ends, end) }

func (g *group) wait() error {
	g.all.Wait()
	for _, end := range g.ends {
		end()
	}
	return errors.Join(g.errs...)
}
