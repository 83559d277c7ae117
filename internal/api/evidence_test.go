package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

const gated = `
service: shop
host: {run: "./shop -port $PORT"}
environments:
  - name: production
    host: {listen: "127.0.0.1:8080"}
    stages:
      - gate: {when: 'latest.tests.status == "passed"', message: the test report}
      - deploy
`

func TestEvidenceOpensAGate(t *testing.T) {
	r := newRig(t)
	ann, ci, worker := r.person("ann", auth.Developer), r.person("ci", auth.Developer), r.worker("w1")
	n := newRelease("v1", digest1)
	n.Definition = gated
	d := ship(t, ann, n)
	if !strings.Contains(d.Headline, "Waits at gate") || !strings.Contains(d.Headline, "the test report") {
		t.Errorf("headline = %q", d.Headline)
	}
	if _, err := ci.AddEvidence(t.Context(), client.Evidence{Digest: digest2, Kind: "tests", Status: "passed"}); err != nil {
		t.Fatal(err)
	}
	if d, _ = ann.Release(t.Context(), d.ID); d.Run.Environments[0].Stage != 0 {
		t.Error("evidence of another artifact opened the gate")
	}
	e, err := ci.AddEvidence(t.Context(), client.Evidence{Digest: digest1, Kind: "tests", Name: "unit", Status: "passed", Data: map[string]any{"count": 12}})
	if err != nil || e.ID == "" || e.By != "ci" || e.At.IsZero() {
		t.Fatalf("added %+v, %v", e, err)
	}
	work(t, worker, passed)
	page, err := ann.Evidence(t.Context(), digest1)
	if err != nil || len(page.Items) != 2 || page.Items[0].Name != "unit" || page.Items[1].Kind != "environment" {
		t.Errorf("evidence = %+v, %v", page, err)
	}
	events, err := ann.Events(t.Context(), d.ID, 0, 100)
	if err != nil || !hasEvent(events.Items, "evidence.posted", "Evidence from ci: tests unit is passed.") {
		t.Errorf("no line about the evidence in %+v, %v", events.Items, err)
	}
}

func hasEvent(list []client.Event, kind, text string) bool {
	for _, e := range list {
		if e.Kind == kind && strings.Contains(e.Text, text) {
			return true
		}
	}
	return false
}

func TestBadEvidenceIsRefused(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	for text, e := range map[string]client.Evidence{
		"is not a digest":  {Digest: "latest", Kind: "tests", Status: "passed"},
		"is not a kind":    {Digest: digest1, Kind: "Tests!", Status: "passed"},
		"is Fairway's own": {Digest: digest1, Kind: "environment", Name: "production", Status: "passed"},
		"is not a status":  {Digest: digest1, Kind: "tests", Status: ""},
	} {
		_, err := ann.AddEvidence(t.Context(), e)
		refused(t, err, fault.Invalid, text)
	}
	_, err := ann.Evidence(t.Context(), "latest")
	refused(t, err, fault.Invalid, "is not a digest")
}

func TestAViewersSessionAddsNoEvidence(t *testing.T) {
	r := newRig(t)
	r.person("vic", auth.Viewer)
	cookie, me := r.login(`{"user":"vic","password":"a long password of vic"}`)
	resp, body := r.call("POST", "/v1/evidence", `{"digest":"`+digest1+`","kind":"tests","status":"passed"}`,
		map[string]string{"Cookie": cookie.Name + "=" + cookie.Value, "X-CSRF-Token": me.CSRF})
	if resp.StatusCode != 403 || !strings.Contains(body, "may not add evidence") {
		t.Errorf("POST = %d %s", resp.StatusCode, body)
	}
}

func TestAViewersTokenAddsNoEvidence(t *testing.T) {
	r := newRig(t)
	vic := r.person("vic", auth.Viewer)
	_, err := vic.AddEvidence(t.Context(), client.Evidence{Digest: digest1, Kind: "tests", Status: "passed"})
	if fault.CodeOf(err) != fault.Denied {
		t.Errorf("a viewer's token added evidence: %v", err)
	}
}

func TestAFreezeHoldsItsLane(t *testing.T) {
	r := newRig(t)
	ann, sue, worker := r.person("ann", auth.Developer), r.person("sue", auth.SRE), r.worker("w1")
	d := ship(t, ann, newRelease("v1", digest1))
	work(t, worker, passed)
	f, err := sue.Freeze(t.Context(), client.NewFreeze{Environment: "production", Reason: "the audit"})
	if err != nil || f.ID == "" || f.By != "sue" || f.From.IsZero() {
		t.Fatalf("froze %+v, %v", f, err)
	}
	s, err := ann.Service(t.Context(), "shop")
	if err != nil || s.Environments[0].Frozen != "" || !strings.Contains(s.Environments[1].Frozen, "the audit") {
		t.Errorf("service = %+v, %v", s, err)
	}
	if _, err := sue.Approve(t.Context(), d.ID, client.Approval{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		d, err = ann.Release(t.Context(), d.ID)
		return err == nil && strings.Contains(d.Headline, "the audit")
	})
	list, err := ann.Freezes(t.Context())
	if err != nil || len(list.Items) != 1 {
		t.Errorf("freezes = %+v, %v", list, err)
	}
	if err := sue.Unfreeze(t.Context(), f.ID); err != nil {
		t.Fatal(err)
	}
	work(t, worker, passed)
	if d, err = ann.Release(t.Context(), d.ID); err != nil || d.State != pipeline.RunSucceeded {
		t.Errorf("state = %s, %v", d.State, err)
	}
	if err := sue.Unfreeze(t.Context(), "nothing"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("ending what is not there = %v", err)
	}
}

func TestBadFreezesAreRefused(t *testing.T) {
	r := newRig(t)
	sue := r.person("sue", auth.SRE)
	now := time.Now()
	for text, f := range map[string]client.NewFreeze{
		"needs a reason":         {Reason: " "},
		"before it begins":       {Reason: "x", From: now, Until: now.Add(-time.Hour)},
		"how long it lasts":      {Reason: "x", Rule: "FREQ=WEEKLY;BYDAY=FR"},
		"cannot be read":         {Reason: "x", Rule: "every friday", For: "8h"},
		`"long" is not a durati`: {Reason: "x", Rule: "FREQ=WEEKLY;BYDAY=FR", For: "long"},
	} {
		_, err := sue.Freeze(t.Context(), f)
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), text) {
			t.Errorf("Freeze(%+v) = %v, want %q", f, err, text)
		}
	}
}
