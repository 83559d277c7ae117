package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

// older is a server that is replaced by a newer one: until then it cannot read samples.
type older struct {
	*server
	newer   atomic.Bool
	refused chan stage.Report
}

func (o *older) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	if len(r.Outcome.Points) > 0 && !o.newer.Load() {
		o.refused <- r
		return stage.Reply{}, errors.Join(stage.ErrUnread, fault.Errorf(fault.Invalid, "body.outcome.points[0].shade: unexpected property"))
	}
	return o.server.Report(ctx, r)
}

func (o *older) Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error) {
	return oneByOne(ctx, o, signs)
}

// refusal waits for the next report that cannot be read.
func (o *older) refusal(t *testing.T) stage.Report {
	t.Helper()
	select {
	case r := <-o.refused:
		return r
	case <-time.After(20 * time.Second):
		t.Fatal("the worker does not try again what could not be read")
		return stage.Report{}
	}
}

// While servers are replaced, a newer worker may reach an older one.
func TestWhatAnOlderServerCannotReadANewerOneHears(t *testing.T) {
	for name, late := range map[string]bool{"in time": false, "late": true} {
		t.Run(name, func(t *testing.T) {
			o := &older{server: newServer(aTask("t1")), refused: make(chan stage.Report, 1000)}
			held, n := make(chan struct{}), 0
			life(t, o, t.TempDir(), executor(func(task stage.Task) (stage.Outcome, error) {
				if n++; n == 4 {
					close(held)
				}
				if n >= 4 {
					return stage.Outcome{Status: stage.Continue}, nil
				}
				if n > 1 && task.Hold == "" {
					t.Errorf("tick %d may advance although the first was not heard", n)
				}
				return stage.Outcome{Status: stage.Continue, Points: make([]stage.Point, n), Lines: []stage.Line{{Kind: "canary.said", Text: fmt.Sprint(n)}}}, nil
			}))
			for range 2 {
				if r := o.refusal(t); r.Number != 1 || len(r.Outcome.Points) != 1 {
					t.Errorf("it told %+v", r)
				}
			}
			<-held
			o.mu.Lock()
			o.reply = stage.Reply{Cancelled: late}
			o.mu.Unlock()
			for o.refusal(t).Late != late {
			}
			o.newer.Store(true)
			points, lines := 0, []string{}
			for len(lines) < 3 {
				r := hear(t, o.server)
				if r.Late != late {
					t.Errorf("late is %t: %+v", r.Late, r)
				}
				points += len(r.Outcome.Points)
				for _, l := range r.Outcome.Lines {
					lines = append(lines, l.Text)
				}
			}
			if points != 1+2+3 || strings.Join(lines, "") != "123" {
				t.Errorf("%d samples and the lines %q were heard", points, lines)
			}
		})
	}
}
