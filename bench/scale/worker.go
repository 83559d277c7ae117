package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/worker"
)

// ticks is what a worker did since it was signalled that measuring begins. It prints them
// at its end.
type ticks struct {
	All  int           `json:"all"`
	Held int           `json:"held"`
	Took time.Duration `json:"took"`
}

func (t ticks) rate() float64      { return float64(t.All) / max(t.Took.Seconds(), 1e-9) }
func (t ticks) heldShare() float64 { return float64(t.Held) / float64(max(1, t.All)) }

// patient carries out a stage that waits: each tick finds what the one before found.
type patient struct {
	every time.Duration

	mu    sync.Mutex
	began time.Time
	ticks ticks
}

// state is as large as that of a canary which knows what was at home before.
var state = json.RawMessage(`{"phase":"holding","home":"` + strings.Repeat("x", 2000) + `"}`)

// Tick counts, and waits for the next.
func (p *patient) Tick(_ context.Context, t stage.Task) (stage.Outcome, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ticks.Took == 0 {
		p.ticks.All++
		if t.Hold != "" {
			p.ticks.Held++
		}
	}
	return stage.Outcome{
		Status: stage.Continue, State: state, After: p.every,
		Progress: &stage.Progress{Now: "10 % of the traffic is on the new version", Weight: 0.1},
	}, nil
}

// begin begins to count.
func (p *patient) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began, p.ticks = time.Now(), ticks{}
}

// end ends counting: to leave the tasks takes a worker a while.
func (p *patient) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ticks.Took == 0 {
		p.ticks.Took = time.Since(p.began)
	}
}

// asWorker is what a worker process does.
func asWorker(ctx context.Context, name, url string, parallel int, every time.Duration) error {
	api, err := client.New(client.Config{URL: url, Token: os.Getenv("FAIRWAY_TOKEN")})
	if err != nil {
		return err
	}
	p := &patient{every: every}
	w := worker.New(worker.Config{
		Name: name, Server: api, Parallel: parallel,
		Executors: map[pipeline.Kind]stage.Executor{pipeline.KindCanary: p},
		Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	begins := make(chan os.Signal, 1)
	signal.Notify(begins, syscall.SIGUSR1)
	go func() {
		for range begins {
			p.begin()
		}
	}()
	p.begin()
	context.AfterFunc(ctx, p.end)
	err = w.Run(ctx)
	p.end()
	text, encoding := json.Marshal(p.ticks)
	if encoding != nil {
		return encoding
	}
	fmt.Println(string(text))
	return err
}
