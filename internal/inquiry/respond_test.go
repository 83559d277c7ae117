package inquiry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// seeing is a platform that can be compared with.
type seeing struct {
	platform.Platform
	found platform.Comparison
	err   error
}

func (s seeing) Compare(context.Context, platform.Target, platform.Revision) (platform.Comparison, error) {
	return s.found, s.err
}

func respond(p platform.Platform, what inquiry.About) inquiry.Answer {
	q := about("staging")
	q.ID, q.About = "q1", what
	return inquiry.Respondent{
		Worker: "w1", Log: slog.New(slog.DiscardHandler),
		Platform: func(string, json.RawMessage) (platform.Platform, error) { return p, nil },
	}.Respond(context.Background(), q)
}

func TestAnAnswerSaysWhatThePlatformSaw(t *testing.T) {
	found := platform.Comparison{Differences: []drift.Difference{{What: drift.Missing}}, Notes: []string{"a note"}}
	a := respond(seeing{found: found}, inquiry.Drift)
	if a.Inquiry != "q1" || a.Environment != "staging" || a.Worker != "w1" || a.Trouble != nil || len(a.Differences) != 1 || len(a.Notes) != 1 {
		t.Errorf("the answer is %+v", a)
	}
}

func TestWhatAPlatformCannotTellIsSaid(t *testing.T) {
	for _, what := range []inquiry.About{inquiry.Preview, "weather"} {
		if a := respond(seeing{}, what); a.Trouble == nil || a.Trouble.Code != fault.Invalid || a.Trouble.Hint == "" {
			t.Errorf("asked for %s it answers %+v", what, a)
		}
	}
}

func TestInternalTextStaysWithTheWorker(t *testing.T) {
	a := respond(seeing{err: errors.New("index out of range")}, inquiry.Drift)
	if a.Trouble == nil || a.Trouble.Code != fault.Internal || strings.Contains(a.Trouble.Message, "range") {
		t.Errorf("the answer is %+v", a.Trouble)
	}
}

// broken is a platform that stumbles over what it is to compare.
type broken struct{ platform.Platform }

func (broken) Compare(context.Context, platform.Target, platform.Revision) (platform.Comparison, error) {
	var none []string
	return platform.Comparison{Notes: none[:1]}, nil
}

func TestAPanicIsAnAnswer(t *testing.T) {
	var log bytes.Buffer
	q := about("staging")
	q.About = inquiry.Drift
	a := inquiry.Respondent{
		Worker: "w1", Log: slog.New(slog.NewTextHandler(&log, nil)),
		Platform: func(string, json.RawMessage) (platform.Platform, error) { return broken{}, nil },
	}.Respond(t.Context(), q)
	if a.Trouble == nil || a.Trouble.Code != fault.Internal || strings.Contains(a.Trouble.Message, "range") {
		t.Errorf("the answer is %+v", a.Trouble)
	}
	if !strings.Contains(log.String(), "out of range") || !strings.Contains(log.String(), "broken.Compare") {
		t.Errorf("the log has no stack: %s", log.String())
	}
}

func TestALongAnswerIsShortened(t *testing.T) {
	long := strings.Repeat("x", 700<<10)
	one := drift.Difference{What: drift.Changed, Path: "data.text", Desired: long, Live: long + "y"}
	a := respond(seeing{found: platform.Comparison{Differences: []drift.Difference{one}}}, inquiry.Drift)
	text, err := json.Marshal(a)
	if err != nil || len(text) > 1<<20 || len(a.Differences) != 1 || len(a.Notes) != 1 {
		t.Errorf("it has %d bytes, %d differences and the notes %q: %v", len(text), len(a.Differences), a.Notes, err)
	}

	many := make([]drift.Difference, 20_000)
	for i := range many {
		many[i] = drift.Difference{What: drift.Changed, Path: strings.Repeat("a", 100), Desired: "x", Live: "y"}
	}
	a = respond(seeing{found: platform.Comparison{Differences: many}}, inquiry.Drift)
	if text, err = json.Marshal(a); err != nil || len(text) > 1<<20 || len(a.Differences) == 0 {
		t.Errorf("it has %d bytes and %d differences: %v", len(text), len(a.Differences), err)
	}
	if last := a.Notes[len(a.Notes)-1]; !strings.Contains(last, "of 20000 are shown") {
		t.Errorf("the last note is %q", last)
	}
}

// repositories say the same objects for whatever is asked.
type repositories []json.RawMessage

func (r repositories) Objects(_ context.Context, where pipeline.Git, _ platform.Target, namespace string) ([]json.RawMessage, error) {
	if where.Branch != "main" || namespace != "shop" {
		return nil, fault.Errorf(fault.NotFound, "nothing is there")
	}
	return r, nil
}

// recording keeps the revision that it was asked to compare.
type recording struct {
	platform.Platform
	revision *platform.Revision
}

func (r recording) Compare(_ context.Context, _ platform.Target, revision platform.Revision) (platform.Comparison, error) {
	*r.revision = revision
	return platform.Comparison{}, nil
}

func TestTheTruthIsComparedAsTheRepositoryHasIt(t *testing.T) {
	var compared platform.Revision
	r := inquiry.Respondent{
		Worker: "w1", Log: slog.New(slog.DiscardHandler), Repositories: repositories{json.RawMessage(`{"kind":"Deployment"}`)},
		Platform: func(string, json.RawMessage) (platform.Platform, error) { return recording{revision: &compared}, nil },
	}
	q := about("staging")
	q.About, q.Settings, q.Git = inquiry.Truth, json.RawMessage(`{"namespace":"shop","objects":[1]}`), &pipeline.Git{Branch: "main"}
	q.Revision.Artifact.Ref = "shop:v2"
	if a := r.Respond(t.Context(), q); a.Trouble != nil {
		t.Fatalf("the answer is %+v", a.Trouble)
	}
	if want := `{"namespace":"shop","objects":[{"kind":"Deployment"}]}`; string(compared.Settings) != want || compared.Artifact.Ref != "" {
		t.Errorf("compared was %s with the artifact %q", compared.Settings, compared.Artifact.Ref)
	}
	q.Git = nil
	if a := r.Respond(t.Context(), q); a.Trouble == nil || a.Trouble.Code != fault.Invalid {
		t.Errorf("without a repository the answer is %+v", a)
	}
}
