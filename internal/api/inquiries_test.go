package api_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
)

const onKubernetes = `
service: shop
kubernetes: {namespace: shop}
metrics: {prometheus: {url: "http://prometheus", preset: traefik}}
environments:
  - name: production
    platform: kubernetes
    stages: [canary, promote]
`

// respond plays a worker that answers one inquiry, and returns what it was asked.
func respond(t *testing.T, worker *client.Client, a inquiry.Answer) <-chan inquiry.Inquiry {
	t.Helper()
	got := make(chan inquiry.Inquiry, 1)
	go func() {
		defer close(got)
		taken, err := worker.Take(t.Context(), inquiry.Wish{Worker: "w", Wait: 20 * time.Second})
		if err != nil || len(taken) != 1 {
			t.Errorf("taken were %d inquiries: %v", len(taken), err)
			return
		}
		a.Inquiry, a.Environment, a.Worker = taken[0].ID, taken[0].Target.Environment, "w"
		if err := worker.Answer(t.Context(), a); err != nil {
			t.Error(err)
		}
		got <- taken[0]
	}()
	return got
}

func TestAWorkerTellsWhatAReleaseWouldChange(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	difference := drift.Difference{Object: drift.Identity{Kind: "Deployment", Name: "shop"}, What: drift.Changed, Path: "spec", Desired: "b", Live: "a"}
	asked := respond(t, worker, inquiry.Answer{Differences: []drift.Difference{difference}, Notes: []string{"a note"}})
	got, err := ann.Inquire(t.Context(), client.NewInquiry{
		About: inquiry.Preview, Environment: "production",
		Release: &client.Preview{Definition: onKubernetes, Artifact: "ghcr.io/acme/shop", Digest: digest1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Service != "shop" || got.Environment != "production" || got.Worker != "w" || len(got.Differences) != 1 || got.Differences[0] != difference || len(got.Notes) != 1 {
		t.Errorf("the answer is %+v", got)
	}
	q := <-asked
	if q.About != inquiry.Preview || q.Platform != "kubernetes" || q.Target.Service != "shop" || q.Revision.Artifact.Digest != digest1 {
		t.Errorf("the worker was asked %+v", q)
	}
	var settings struct{ Namespace string }
	if err := json.Unmarshal(q.Settings, &settings); err != nil || settings.Namespace != "shop" {
		t.Errorf("the settings are %s: %v", q.Settings, err)
	}
}

func TestAPreviewWithoutAnArtifactKeepsTheHomes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	asked := respond(t, r.worker("w1"), inquiry.Answer{})
	got, err := r.person("ann", auth.Developer).Inquire(t.Context(), client.NewInquiry{
		About: inquiry.Preview, Environment: "production", Release: &client.Preview{Definition: onKubernetes},
	})
	if err != nil || got.Differences == nil {
		t.Fatalf("the answer is %+v: %v", got, err)
	}
	if q := <-asked; q.Revision.Artifact.Ref != "" || q.Revision.Artifact.Digest != "" {
		t.Errorf("the worker was asked for the artifact %+v", q.Revision.Artifact)
	}
}

func TestDriftIsAskedOfTheReleaseAtHome(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, sue, worker := r.person("ann", auth.Developer), r.person("sue", auth.SRE), r.worker("w1")
	reader := r.person("ron")
	ask := client.NewInquiry{About: inquiry.Drift, Service: "shop", Environment: "staging"}
	_, err := reader.Inquire(t.Context(), ask)
	refused(t, err, fault.NotFound, "shop")
	d := ship(t, ann, newRelease("v1", digest1))
	_, err = reader.Inquire(t.Context(), ask)
	refused(t, err, fault.Conflict, "no release of shop is at home in staging")
	toProduction(t, worker, sue, d.ID)
	asked := respond(t, worker, inquiry.Answer{})
	got, err := reader.Inquire(t.Context(), ask)
	if err != nil || got.Release != d.ID || got.Version != "v1" {
		t.Errorf("the answer is %+v: %v", got, err)
	}
	if q := <-asked; q.About != inquiry.Drift || q.Revision.Artifact.Digest != digest1 || q.Target.Environment != "staging" {
		t.Errorf("the worker was asked %+v", q)
	}
}

func TestWhoMayAskAndWhoMayAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	reader, worker := r.person("ron"), r.worker("w1", "staging")
	preview := client.NewInquiry{About: inquiry.Preview, Environment: "production", Release: &client.Preview{Definition: onKubernetes}}
	_, err := reader.Inquire(t.Context(), preview)
	refused(t, err, fault.Denied, "may not ask what a release would change")
	_, err = worker.Inquire(t.Context(), preview)
	refused(t, err, fault.Denied, "opens only the routes of workers")
	_, err = reader.Take(t.Context(), inquiry.Wish{Worker: "w"})
	refused(t, err, fault.Denied, "is not a worker")
	_, err = worker.Take(t.Context(), inquiry.Wish{Worker: "w", Environments: []string{"production"}})
	refused(t, err, fault.Denied, "its token is for staging")
	refused(t, worker.Answer(t.Context(), inquiry.Answer{Inquiry: "x", Environment: "production"}), fault.Denied, "its token is for staging")
	if err := worker.Answer(t.Context(), inquiry.Answer{Inquiry: "gone", Environment: "staging"}); err != nil {
		t.Errorf("an answer to nobody is refused: %v", err)
	}

	preview.Release.Definition = "service: shop\nkubernetes: {}\n"
	_, err = r.person("ann", auth.Developer).Inquire(t.Context(), preview)
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a bad definition is asked about: %v", err)
	}
}

func TestWithoutAWorkerThatIsSaid(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	began := time.Now()
	_, err := r.person("ann", auth.Developer).Inquire(t.Context(), client.NewInquiry{
		About: inquiry.Preview, Environment: "production", Release: &client.Preview{Definition: onKubernetes},
	})
	refused(t, err, fault.Unavailable, "no worker of production is connected")
	if status(err) != 503 || time.Since(began) > 15*time.Second {
		t.Errorf("status %d after %s", status(err), time.Since(began))
	}
}
