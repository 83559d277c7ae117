package stage

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/command"
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
	// Command says that the requests of this attempt were answered as expected, and
	// its command was begun or is about to.
	Command bool `json:"command,omitempty"`
	// Begun is where commands may have begun of which no end was seen.
	Begun places `json:"begun,omitempty"`
}

func (e *check) Tick(ctx context.Context, task Task) (Outcome, error) {
	if task.Undo {
		return e.undo(ctx, task)
	}
	var m checkMemory
	if err := recall(task, &m); err != nil {
		return Outcome{}, err
	}
	p, err := e.Platform(task.Platform, task.Settings)
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
	wrong, goesOn, err := e.expectations(ctx, task, &m, addresses)
	switch {
	case err != nil:
		return Outcome{}, err
	case ctx.Err() != nil:
		return Outcome{}, ctx.Err()
	case goesOn.Status == Continue:
		return goesOn, nil
	case wrong == "":
		return Outcome{Status: Passed, Reason: "every expectation holds"}, nil
	}
	wrong = masked(task, wrong)
	m = checkMemory{Attempt: m.Attempt + 1, Begun: m.Begun.without(e.Commands.Where())}
	if m.Attempt >= task.Stage.Check.Attempts {
		return Outcome{Status: Failed, State: remember(m), Reason: wrong}, nil
	}
	now := fmt.Sprintf("Attempt %d of %d: %s.", m.Attempt, task.Stage.Check.Attempts, wrong)
	every := max(task.Stage.Check.Every.Std(), 100*time.Millisecond)
	return next(m, every, &Progress{Now: now, Next: "It is tried again.", NextAt: e.Now().Add(every), Weight: shareOf(s, task.Revision.ID)}), nil
}

// undo stops the command that may still run: looking leaves nothing else to undo. Of
// one on another machine a person is told once, and then believed.
func (e *check) undo(ctx context.Context, task Task) (Outcome, error) {
	var m checkMemory
	if err := recallUndo(task, &m); err != nil {
		return Outcome{}, err
	}
	if err := e.Commands.Stop(ctx, attemptID(task, m.Attempt)); err != nil {
		return Outcome{}, err
	}
	left := m.Begun.without(e.Commands.Where())
	m.Begun = nil
	if len(left) > 0 {
		return elsewhere(m, "command", left), nil
	}
	return Outcome{Status: Passed, State: remember(m)}, nil
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

// expectations returns the first thing that is not as expected, or "". While the
// command of the attempt is under way it returns how the stage goes on instead.
func (e *check) expectations(ctx context.Context, task Task, m *checkMemory, addresses []string) (wrong string, goesOn Outcome, err error) {
	c := task.Stage.Check
	if !m.Command {
		if wrong := requests(ctx, c.HTTP, addresses); wrong != "" {
			return wrong, Outcome{}, nil
		}
	}
	if len(c.Command) > 0 {
		if wrong, goesOn, err = e.command(ctx, task, m, addresses); err != nil || wrong != "" || goesOn.Status == Continue {
			return wrong, goesOn, err
		}
	}
	if c.Load != nil {
		return underLoad(ctx, addresses[0], c.Load), Outcome{}, nil
	}
	return "", Outcome{}, nil
}

func requests(ctx context.Context, checks []pipeline.HTTPCheck, addresses []string) string {
	for _, address := range addresses {
		for _, h := range checks {
			if wrong := request(ctx, address, h); wrong != "" {
				return wrong
			}
		}
	}
	return ""
}

// attemptID is the ID of the command of one attempt. The number of the attempt is
// saved before its command may begin, so that a successor or an undoing finds it.
func attemptID(task Task, attempt int) string {
	return fmt.Sprintf("%s.%d", commandID(task), attempt+1)
}

// note remembers that the attempt's command begins here, before it does.
func (e *check) note(task Task, m *checkMemory) Outcome {
	out := Outcome{Status: Continue, Progress: &Progress{Now: "The command begins."}}
	if m.Command && len(m.Begun) > 0 {
		out.Lines = []Line{moved("check.moved", "command", task, m.Begun)}
	}
	m.Command, m.Begun = true, m.Begun.with(e.Commands.Where(), task.Held)
	out.State = remember(m)
	return out
}

// command starts the attempt's command if that is still to be done, and says how it stands.
func (e *check) command(ctx context.Context, task Task, m *checkMemory, addresses []string) (wrong string, goesOn Outcome, err error) {
	args, id := task.Stage.Check.Command, attemptID(task, m.Attempt)
	s, err := e.Commands.Observe(id)
	switch {
	case err != nil:
		return "", Outcome{}, err
	case s.Good():
		return "", Outcome{}, nil
	case s.Phase == command.Running:
		m.Command = true // its report may have been lost
		return "", next(m, nextLook(s, e.Now()), &Progress{Now: running("The command", s, e.Now())}), nil
	case s.Phase != command.None:
		return commandFailed("the command", args, s), Outcome{}, nil
	case m.Begun[e.Commands.Where()] == "":
		return "", e.note(task, m), nil
	case task.Hold != "":
		return "", next(m, laterLook, &Progress{Now: "Held before the command begins: " + task.Hold + "."}), nil
	}
	spec, err := specOf(task, args, map[string]string{"FAIRWAY_ADDRESSES": strings.Join(addresses, " ")}, nil)
	if err == nil {
		err = e.Commands.Start(ctx, id, spec)
	}
	if fault.CodeOf(err) == fault.Invalid {
		return fmt.Sprintf("the command %q cannot run: %s", strings.Join(args, " "), fault.MessageWithHint(err)), Outcome{}, nil
	}
	if err != nil {
		return "", Outcome{}, err
	}
	return "", next(m, firstLook, &Progress{Now: "The command begins."}), nil
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
		return "the load cannot be sent: " + fault.MessageWithHint(err)
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
