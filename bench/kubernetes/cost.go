package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/cluster"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
	"github.com/fairwayhq/fairway/test/program"
)

// measureCost ships one good version and counts what that takes.
func measureCost(ctx context.Context, r *rig.Rig, c config) ([]bar.Bar, error) {
	requests, resident, err := costOfOne(ctx, r, c)
	if err != nil {
		return nil, err
	}
	byVerb := map[string]int{}
	for _, q := range requests {
		byVerb[q.Verb]++
	}
	fmt.Printf("requests of one release by verb: %v\n\n", byVerb)
	return []bar.Bar{
		bar.AtMost("api_requests_per_release", float64(len(requests)-byVerb["watch"]), "requests", 100),
		bar.AtMost("resident_one_release", megabytes(resident), "MB", 60),
	}, nil
}

// costOfOne releases once, from an empty server. The first release of a service also has
// to learn what is there, so it is the dearest.
func costOfOne(ctx context.Context, r *rig.Rig, c config) (requests []cluster.Request, resident int64, err error) {
	team, err := r.Open(ctx, rig.TeamOptions{Name: "shop", First: rig.V1, Rate: c.rate, Autoscaled: true})
	if err != nil {
		return nil, 0, err
	}
	if err := pause(ctx, settled); err != nil {
		return nil, 0, err
	}
	memory := watchMemory(r.Worker)
	began := time.Now()
	g, err := release(ctx, team, rig.V2)
	ended := time.Now()
	resident = memory.most()
	if err != nil {
		return nil, 0, err
	}
	if g.state != pipeline.RunSucceeded {
		return nil, 0, fmt.Errorf("the good version is %s: %s", g.state, g.reason)
	}
	// What was answered is written down a moment later.
	if err := pause(ctx, time.Second); err != nil {
		return nil, 0, err
	}
	requests, err = r.Cluster.Requests(rig.User, began, ended)
	return requests, resident, err
}

// memory looks every 250 ms how much memory a program has, with all that it has started.
type memory struct {
	peak atomic.Int64
	end  chan struct{}
	done chan struct{}
}

func watchMemory(p *program.Program) *memory {
	m := &memory{end: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(m.done)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			if now, err := p.Resident(); err == nil {
				m.peak.Store(max(m.peak.Load(), now))
			}
			select {
			case <-m.end:
				return
			case <-tick.C:
			}
		}
	}()
	return m
}

// most ends the looking and returns the most that was seen, in bytes.
func (m *memory) most() int64 {
	close(m.end)
	<-m.done
	return m.peak.Load()
}

func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }
