package api_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/stage"
)

// otherwise writes requests as another version would.
type otherwise struct{ from, to string }

func (o otherwise) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if o.from != "" && !bytes.Contains(body, []byte(o.from)) {
		return nil, errors.New("the request has no " + o.from)
	}
	body = bytes.Replace(body, []byte(o.from), []byte(o.to), 1)
	changed := req.Clone(req.Context())
	changed.Body, changed.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return http.DefaultTransport.RoundTrip(changed)
}

// A worker tells what an older server does not know from what every server refuses: the first is
// tried again with the next server.
func TestAWorkerHearsThatAServerIsOlder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, w := r.person("ann", auth.Developer), r.worker("w1")
	token := r.token(auth.NewToken{User: "w1", Name: "newer", Worker: true, Environments: []string{"staging", "production"}})
	ship(t, ann, newRelease("v1", digest1))
	task := lease(t, w)
	sent := stage.Report{
		Task: task.ID, Release: task.Release, Environment: task.Environment, Entry: task.Entry, Worker: "w", Fence: task.Fence, Number: 1,
		Outcome: stage.Outcome{
			Status: stage.Continue, Points: []stage.Point{{Sample: judge.Sample{}}}, Lines: []stage.Line{{Kind: "deploy.said", Text: "here"}},
		},
	}
	for name, c := range map[string]struct {
		from, to string // what a newer worker writes otherwise
		change   func(*stage.Report)
		unread   bool
	}{
		"a field of the report": {`"task":`, `"shade":1,"task":`, nil, true},
		"a field of a line":     {`"kind":`, `"shade":1,"kind":`, nil, true},
		"a field of a sample":   {`"sample":{`, `"sample":{"shade":1,`, nil, true},
		"another type":          {`"text":"here"`, `"text":{"en":"here"}`, nil, true},
		"a fence out of reach":  {"", "", func(r *stage.Report) { r.Seen = math.MaxInt64 }, false},
		"too long":              {"", "", func(r *stage.Report) { r.Outcome.Lines[0].Text = strings.Repeat("a", 16<<20) }, false},
		"no JSON":               {`"task":`, `task:`, nil, false},
		"another's token":       {"", "", func(r *stage.Report) { r.Environment = "" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			report := sent
			report.Outcome.Lines = append([]stage.Line(nil), sent.Outcome.Lines...)
			if c.change != nil {
				c.change(&report)
			}
			newer, err := client.New(client.Config{URL: r.server.URL, Token: token, HTTP: &http.Client{Transport: otherwise{c.from, c.to}}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = newer.Report(t.Context(), report)
			if err == nil || errors.Is(err, stage.ErrUnread) != c.unread || c.unread && fault.CodeOf(err) != fault.Invalid {
				t.Errorf("the worker hears %v (%s)", err, fault.CodeOf(err))
			}
		})
	}
	newer, err := client.New(client.Config{URL: r.server.URL, Token: token, HTTP: &http.Client{Transport: otherwise{`"max":`, `"shade":1,"max":`}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newer.Lease(t.Context(), stage.LeaseAsk{Entries: true, Worker: "w", Max: 1}); !errors.Is(err, stage.ErrUnread) {
		t.Errorf("of a wish for tasks the worker hears %v", err)
	}
	if _, err := w.Report(t.Context(), sent); err != nil {
		t.Errorf("what had been refused is not taken in later: %v", err)
	}
}
