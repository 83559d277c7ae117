package api_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// look lets the server look for drift once, and a worker find these differences.
func (r *rig) look(worker *client.Client, found ...drift.Difference) {
	r.t.Helper()
	asked := respond(r.t, worker, inquiry.Answer{Differences: found})
	if err := r.control.LookForDrift(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	if _, ok := <-asked; !ok {
		r.t.Fatal("no worker was asked")
	}
}

// told are the release's lines about drift.
func (r *rig) told(c *client.Client, id string) []string {
	r.t.Helper()
	page, err := c.Events(r.t.Context(), id, 0, 500)
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for _, e := range page.Items {
		if strings.HasPrefix(e.Kind, "drift.") {
			all = append(all, e.Kind+": "+e.Text)
		}
	}
	return all
}

func (r *rig) atHome(ann, worker *client.Client, version, digest string) string {
	r.t.Helper()
	d := ship(r.t, ann, client.NewRelease{Definition: onKubernetes, Version: version, Artifact: "ghcr.io/acme/shop", Digest: digest})
	work(r.t, worker, passed)
	work(r.t, worker, passed)
	return d.ID
}

func TestDriftIsToldWhenItChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	if err := r.control.LookForDrift(t.Context()); err != nil {
		t.Fatalf("where nothing was released: %v", err)
	}
	id := r.atHome(ann, worker, "v1", digest1)
	image := drift.Difference{
		Object: drift.Identity{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "shop"}, What: drift.Changed,
		Path: "spec.image", Desired: "v1", Live: "a password",
	}
	gone := drift.Difference{Object: drift.Identity{Kind: "Service", Namespace: "shop", Name: "shop"}, What: drift.Missing}
	var want []string
	expect := func(when, line string) {
		t.Helper()
		if line != "" {
			want = append(want, line)
		}
		if got := r.told(ann, id); !slices.Equal(got, want) {
			t.Errorf("%s it was told\n%s\nand not\n%s", when, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	r.look(worker)
	expect("without drift", "")
	r.look(worker, image)
	expect("when drift appears", "drift.found: What runs in production is not as the release says: Deployment shop/shop spec.image.")
	r.look(worker, image)
	expect("while it stays", "")
	service, err := ann.Service(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if d := service.Environments[0].Drift; d == nil || len(d.Fields) != 1 || !d.At.After(d.Since) {
		t.Errorf("the service shows the drift as %+v", d)
	}
	if d, err := ann.Release(t.Context(), id); err != nil || len(d.Drift["production"].Fields) != 1 {
		t.Errorf("the release shows the drift as %+v: %v", d.Drift, err)
	}
	r.look(worker, image, gone)
	expect("when it changes", "drift.changed: What runs in production is not as the release says: Deployment shop/shop spec.image, Service shop/shop is missing.")
	r.look(worker)
	expect("when it is gone", "drift.gone: What runs in production is as the release says again.")
	if v, err := ann.Verify(t.Context(), id); err != nil || !v.OK {
		t.Errorf("the chain is %+v: %v", v, err)
	}

	next := r.atHome(ann, worker, "v2", digest2)
	if service, err = ann.Service(t.Context(), "shop"); err != nil || service.Environments[0].Drift != nil {
		t.Errorf("of the next release nobody knows yet, and it shows %+v: %v", service.Environments[0].Drift, err)
	}
	r.look(worker, gone)
	if got := r.told(ann, next); len(got) != 1 {
		t.Errorf("the next release was told %q", got)
	}
	expect("when another release is at home", "")
}

func TestALaneThatMovesIsNotLookedAt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	r.atHome(ann, worker, "v1", digest1)
	ship(t, ann, client.NewRelease{Definition: onKubernetes, Version: "v2", Artifact: "ghcr.io/acme/shop", Digest: digest2})
	if err := r.control.LookForDrift(t.Context()); err != nil { // nobody would answer
		t.Error(err)
	}
}

func TestWhatCouldNotBeLookedAtIsNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	id := r.atHome(ann, worker, "v1", digest1)
	asked := respond(t, worker, inquiry.Answer{Trouble: &inquiry.Trouble{Code: fault.Denied, Message: "services is forbidden"}})
	err := r.control.LookForDrift(t.Context())
	if err == nil || !strings.Contains(err.Error(), "shop/production: the worker w of production: services is forbidden") {
		t.Errorf("the error is %v", err)
	}
	<-asked
	if got := r.told(ann, id); len(got) != 0 {
		t.Errorf("it was told %q", got)
	}
}

func TestAGateWaitsUntilNothingHasDrifted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	gated := strings.Replace(onKubernetes, "stages: [canary, promote]", "stages: [gate: \"!drift.found\", canary, promote]", 1)
	release := func(version, digest string) client.ReleaseDetail {
		return ship(t, ann, client.NewRelease{Definition: gated, Version: version, Artifact: "ghcr.io/acme/shop", Digest: digest})
	}
	release("v1", digest1) // nothing is at home, so nothing can have drifted
	work(t, worker, passed)
	work(t, worker, passed)
	missing := drift.Difference{Object: drift.Identity{Kind: "Service", Name: "shop"}, What: drift.Missing}

	d := release("v2", digest2)
	if got := d.Run.Environments[0].Stages[0]; got.State != pipeline.StageRunning || got.Reason != "drift.found" {
		t.Errorf("before anybody has looked the gate is %s (%s)", got.State, got.Reason)
	}
	r.look(worker, missing)
	r.gate(ann, d.ID, "!drift.found (drift.found is true)")
	r.look(worker)
	work(t, worker, passed)
	work(t, worker, passed)
}

// gate waits until the release's first stage says what it waits for.
func (r *rig) gate(c *client.Client, id, waiting string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	for last := ""; ; {
		d, err := c.Release(ctx, id)
		if err != nil {
			r.t.Fatalf("%v; the gate said %q", err, last)
		}
		if last = d.Run.Environments[0].Stages[0].Reason; last == waiting {
			return
		}
	}
}
