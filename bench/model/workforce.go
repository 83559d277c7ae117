package main

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/certificate"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/worker"
)

// workforce are real workers, each with a client of its own, in this process.
type workforce struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	// answered counts inquiries.
	answered atomic.Int64
	counted  *counts
}

// counts are what workers said: signs of life, reports with samples, and other reports.
type counts struct{ signs, sampled, others atomic.Int64 }

// muster says which workers there are.
type muster struct {
	url, token  string
	name        string
	environment string
	regions     []string // each gets a worker; none is one worker for all regions
	parallel    int
	executors   map[pipeline.Kind]stage.Executor
}

func startFleet(ctx context.Context, m muster) (*workforce, error) {
	ctx, stop := context.WithCancel(ctx)
	f := &workforce{stop: stop, counted: &counts{}}
	regions := make([][]string, max(1, len(m.regions)))
	for i, r := range m.regions {
		regions[i] = []string{r}
	}
	for _, mine := range regions {
		if err := f.start(ctx, m, mine); err != nil {
			f.end()
			return nil, err
		}
	}
	return f, nil
}

func (f *workforce) start(ctx context.Context, m muster, regions []string) error {
	// As fairway worker speaks to its server.
	transport, err := certificate.Transport(certificate.Files{}, func(error) {})
	if err != nil {
		return err
	}
	api, err := client.New(client.Config{URL: m.url, Token: m.token, HTTP: &http.Client{Transport: transport}})
	if err != nil {
		return err
	}
	name := m.name
	if len(regions) > 0 {
		name += "-" + regions[0]
	}
	var environments []string
	if m.environment != "" {
		environments = []string{m.environment}
	}
	w := worker.New(worker.Config{
		Name: name, Environments: environments, Regions: regions, Server: listened{api, f.counted}, Greeter: api, Desk: api,
		Respond:   func(_ context.Context, q inquiry.Inquiry) inquiry.Answer { return f.answer(name, q) },
		Executors: m.executors, Parallel: m.parallel, Log: slog.New(slog.DiscardHandler),
	})
	f.running.Go(func() { _ = w.Run(ctx) })
	return nil
}

// answer finds that nothing has drifted.
func (f *workforce) answer(worker string, q inquiry.Inquiry) inquiry.Answer {
	f.answered.Add(1)
	return inquiry.Answer{Inquiry: q.ID, Environment: q.Target.Environment, Region: q.Target.Region, Worker: worker}
}

func (f *workforce) end() {
	f.stop()
	f.running.Wait()
}

// listened counts what a worker says to its server.
type listened struct {
	*client.Client
	*counts
}

func (l listened) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	if len(r.Outcome.Points) > 0 {
		l.sampled.Add(1)
	} else {
		l.others.Add(1)
	}
	return l.Client.Report(ctx, r)
}

func (l listened) Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error) {
	l.signs.Add(int64(len(signs.Tasks)))
	return l.Client.Signs(ctx, signs)
}
