package stage

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/load"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// check looks at the new revision itself: every expectation must hold against
// every one of its instances, within the attempts.
type check struct{ Deps }

type checkMemory struct {
	Attempt int `json:"attempt,omitempty"`
}

func (e *check) Tick(ctx context.Context, task Task) (Outcome, error) {
	if task.Undo {
		return Outcome{Status: Passed}, nil // looking leaves nothing to undo
	}
	var m checkMemory
	if err := recall(task, &m); err != nil {
		return Outcome{}, err
	}
	p, err := e.Platform(task.Platform)
	if err != nil {
		return Outcome{}, err
	}
	s, err := p.Observe(ctx, task.Target())
	if err != nil {
		return Outcome{}, err
	}
	addresses := readyAddresses(s, task.Revision.ID)
	if len(addresses) == 0 && needsAddress(task.Stage.Check) {
		return Outcome{Status: Failed, Reason: "no instance of " + name(task) + " runs here yet, so there is nothing to check; put the check behind a deploy or a canary"}, nil
	}
	wrong := e.expectations(ctx, task, addresses)
	switch {
	case ctx.Err() != nil:
		return Outcome{}, ctx.Err()
	case wrong == "":
		return Outcome{Status: Passed, Reason: "every expectation holds"}, nil
	}
	m.Attempt++
	if m.Attempt >= task.Stage.Check.Attempts {
		return Outcome{Status: Failed, State: remember(m), Reason: wrong}, nil
	}
	now := fmt.Sprintf("Attempt %d of %d: %s.", m.Attempt, task.Stage.Check.Attempts, wrong)
	every := max(task.Stage.Check.Every.Std(), 100*time.Millisecond)
	return next(m, every, &Progress{Now: now, Next: "It is tried again.", NextAt: e.Now().Add(every), Weight: shareOf(s, task.Revision.ID)}), nil
}

func needsAddress(c *pipeline.Check) bool { return len(c.HTTP) > 0 || c.Load != nil }

func readyAddresses(s platform.State, revision string) []string {
	r, _ := s.Revision(revision)
	var addresses []string
	for _, i := range r.Instances {
		if i.Ready && i.Address != "" {
			addresses = append(addresses, i.Address)
		}
	}
	return addresses
}

// expectations returns the first thing that is not as expected, or "".
func (e *check) expectations(ctx context.Context, task Task, addresses []string) string {
	c := task.Stage.Check
	for _, address := range addresses {
		for _, h := range c.HTTP {
			if wrong := request(ctx, address, h); wrong != "" {
				return wrong
			}
		}
	}
	if len(c.Command) > 0 {
		env := environ(task, map[string]string{"FAIRWAY_ADDRESSES": strings.Join(addresses, " ")})
		if output, err := run(ctx, c.Command, env); err != nil {
			return fmt.Sprintf("the command %q failed: %s%s", strings.Join(c.Command, " "), err, output)
		}
	}
	if c.Load != nil {
		return underLoad(ctx, addresses[0], c.Load)
	}
	return ""
}

// mostBody is how much of an answer is read.
const mostBody = 1 << 20

// request makes one request and returns what is wrong with its answer, or "".
func request(ctx context.Context, address string, h pipeline.HTTPCheck) string {
	what := fmt.Sprintf("%s %s", h.Method, h.Path)
	ctx, cancel := context.WithTimeout(ctx, h.Within.Std())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, h.Method, "http://"+address+h.Path, strings.NewReader(h.Body))
	if err != nil {
		return fmt.Sprintf("%s is not a request: %s", what, err)
	}
	for k, v := range h.Headers {
		req.Header.Set(k, v)
		if http.CanonicalHeaderKey(k) == "Host" {
			req.Host = v
		}
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(req)
	if err != nil {
		return fmt.Sprintf("%s had no answer within %s: %s", what, h.Within, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostBody))
	switch {
	case answer.StatusCode != h.Status:
		return fmt.Sprintf("%s answered %d, expected %d", what, answer.StatusCode, h.Status)
	case err != nil:
		return fmt.Sprintf("%s broke off its answer: %s", what, err)
	case h.Contains != "" && !strings.Contains(string(body), h.Contains):
		return fmt.Sprintf("%s answered without %q", what, h.Contains)
	}
	return ""
}

// underLoad sends a bounded load and returns what is wrong, or "".
func underLoad(ctx context.Context, address string, l *pipeline.Load) string {
	sender, err := load.New(load.Config{URL: "http://" + address + l.Path, Rate: l.Rate, Duration: l.For.Std()})
	if err != nil {
		return "the load cannot be sent: " + fault.MessageOf(err)
	}
	r := sender.Run(ctx)
	share := float64(r.Failed) / float64(max(r.Requests, 1))
	switch p99 := r.Latency.Quantile(0.99); {
	case r.Requests == 0:
		return "the load sent no request"
	case share > l.MaxErrors:
		return fmt.Sprintf("under load %s of %d requests failed, at most %s may", percent(share), r.Requests, percent(l.MaxErrors))
	case l.P99 > 0 && p99 > l.P99.Std():
		return fmt.Sprintf("under load the 99th percentile was %s, at most %s is allowed", p99.Round(time.Millisecond), l.P99)
	}
	return ""
}
