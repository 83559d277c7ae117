package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

func TestAReleaseGoesThroughItsPlan(t *testing.T) {
	r := newRig(t)
	ann, sue := r.person("ann", auth.Developer), r.person("sue", auth.SRE)
	worker := r.worker("w1")
	d := ship(t, ann, newRelease("v1", digest1))
	if d.Author != "ann" || d.Service != "shop" || d.State != pipeline.RunRunning || d.Environment != "staging" || d.PlanHash == "" {
		t.Fatalf("created %+v", d.Release)
	}
	task := work(t, worker, passed)
	if task.Environment != "staging" || task.Revision.Artifact.Digest != digest1 {
		t.Errorf("the first task is %+v", task)
	}
	d, err := sue.Release(t.Context(), "shop@v1")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(d.Headline, "Waits in production for 1 approval by sre or qa") || d.Asks == "" {
		t.Errorf("headline = %q, asks = %q", d.Headline, d.Asks)
	}
	if fmt.Sprint(d.Actions) != "[approve reject pause rollback skip]" {
		t.Errorf("sue may %v", d.Actions)
	}
	if _, err := sue.Approve(t.Context(), "shop", client.Approval{Digest: d.Digest, PlanHash: d.PlanHash, Reason: "looks good"}); err != nil {
		t.Fatal(err)
	}
	task = lease(t, worker)
	report(t, worker, task, stage.Outcome{Status: stage.Continue, Progress: &stage.Progress{Now: "places the revision", Weight: 0.5}})
	if d, err = ann.Release(t.Context(), d.ID); err != nil || d.Live["production"].Weight != 0.5 || !strings.Contains(d.Headline, "places the revision") {
		t.Errorf("live = %+v, headline = %q, %v", d.Live, d.Headline, err)
	}
	report(t, worker, task, passed)
	if d, err = ann.Release(t.Context(), d.ID); err != nil || d.State != pipeline.RunSucceeded || d.EndedAt.IsZero() {
		t.Errorf("state = %s, %v", d.State, err)
	}
	checkTraces(t, ann, d)
}

// checkTraces looks at what a finished release leaves: its service, list and chain.
func checkTraces(t *testing.T, c *client.Client, d client.ReleaseDetail) {
	t.Helper()
	s, err := c.Service(t.Context(), "shop")
	if err != nil || s.Owner != "team-shop" || len(s.Environments) != 2 || s.Environments[1].Home != d.ID || s.Environments[1].HomeVersion != "v1" {
		t.Errorf("service = %+v, %v", s, err)
	}
	all, err := c.Services(t.Context())
	if err != nil || len(all.Items) != 1 {
		t.Errorf("services = %+v, %v", all, err)
	}
	v, err := c.Verify(t.Context(), d.ID)
	if err != nil || !v.OK || v.Lines < 8 || v.Head == "" {
		t.Errorf("verification = %+v, %v", v, err)
	}
	first, err := c.Events(t.Context(), d.ID, 0, 3)
	if err != nil || len(first.Items) != 3 || first.Next != "3" {
		t.Errorf("the first page of events = %+v, %v", first, err)
	}
	rest, err := c.Events(t.Context(), d.ID, 3, 500)
	if err != nil || int64(len(rest.Items)) != v.Lines-3 || rest.Next != "" {
		t.Errorf("the second page has %d events, next %q, %v", len(rest.Items), rest.Next, err)
	}
}

func TestListsGoOnByCursor(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	for i := range 5 {
		ship(t, ann, newRelease(fmt.Sprintf("v%d", i), digest1))
	}
	var versions []string
	f := client.Filter{Service: "shop", Limit: 2}
	for {
		page, err := ann.Releases(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			versions = append(versions, item.Version)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	if got := strings.Join(versions, " "); got != "v4 v3 v2 v1 v0" {
		t.Errorf("the pages hold %q, want newest first, each once", got)
	}
	none, err := ann.Releases(t.Context(), client.Filter{State: pipeline.RunFailed})
	if err != nil || none.Items == nil || len(none.Items) != 0 {
		t.Errorf("no failed releases = %+v, %v; want an empty list", none, err)
	}
	_, err = ann.Releases(t.Context(), client.Filter{State: "flying"})
	refused(t, err, fault.Invalid, `"flying" is not a state`)
	_, err = ann.Releases(t.Context(), client.Filter{Cursor: "x"})
	refused(t, err, fault.Invalid, "not a cursor")
}

func TestReferencesThatLeadNowhere(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	ship(t, ann, newRelease("v1", digest1))
	for _, ref := range []string{"nothing", "shop@v9", "01arz3ndektsv4rrffq69g5fav", "@", "a/b"} {
		if _, err := ann.Release(t.Context(), ref); fault.CodeOf(err) != fault.NotFound || status(err) != http.StatusNotFound {
			t.Errorf("Release(%q) = %v (%d), want not found", ref, err, status(err))
		}
	}
	if _, err := ann.Service(t.Context(), "nothing"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("Service = %v, want not found", err)
	}
}

func TestTheSamePostTwiceMakesOneRelease(t *testing.T) {
	r := newRig(t)
	ann, bob := r.person("ann", auth.Developer), r.person("bob", auth.Developer)
	ids := make([]string, 16)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			d, err := ann.Create(t.Context(), newRelease("v1", digest1), "key-1")
			if err != nil {
				t.Error(err)
			}
			ids[i] = d.ID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("the same post made %v", ids)
		}
	}
	page, err := ann.Releases(t.Context(), client.Filter{})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d releases, %v; want 1", len(page.Items), err)
	}
	_, err = ann.Create(t.Context(), newRelease("v2", digest2), "key-1")
	refused(t, err, fault.Conflict, "already used for another request")
	changed := newRelease("v1", digest1)
	changed.Note = "other"
	_, err = ann.Create(t.Context(), changed, "key-1")
	refused(t, err, fault.Conflict, "already used for another request")
	if d, err := bob.Create(t.Context(), newRelease("v1", digest1), "key-1"); err != nil || d.ID == ids[0] {
		t.Errorf("the key of another person = %s, %v; want a release of his own", d.ID, err)
	}
	again := client.NewRelease{Service: "shop", Version: "v3", Artifact: "/builds/3", Digest: digest2}
	one, err := ann.Create(t.Context(), again, "key-2")
	if err != nil {
		t.Fatal(err)
	}
	if two, err := ann.Create(t.Context(), again, "key-2"); err != nil || two.ID != one.ID {
		t.Errorf("without a definition the repeat made %s, %v; want %s", two.ID, err, one.ID)
	}
}

func TestABadDefinitionComesBackWithItsFaults(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	bad := newRelease("v1", digest1)
	bad.Definition = "service: shop\nenvironmints: []\nenvironments: [{name: staging, stages: [fly]}]\n"
	_, err := ann.Create(t.Context(), bad, "")
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "fairway.yaml:2:1") {
		t.Fatalf("error = %v", err)
	}
	var faults pipeline.Faults
	if !errors.As(err, &faults) || len(faults) < 2 || faults[0].Line != 2 || faults[0].Source == "" {
		t.Errorf("faults = %+v", faults)
	}
}

func TestBadRequestsForAReleaseAreRefused(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	for name, c := range map[string]struct {
		set  func(n *client.NewRelease)
		text string
	}{
		"an empty artifact":     {func(n *client.NewRelease) { n.Artifact = "" }, "no artifact"},
		"a short digest":        {func(n *client.NewRelease) { n.Digest = "sha256:12" }, "is not the digest"},
		"neither text nor name": {func(n *client.NewRelease) { n.Definition = "" }, "neither a definition nor a service"},
		"another service":       {func(n *client.NewRelease) { n.Service = "cart" }, "for service shop, the request for cart"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newRelease("v1", digest1)
			c.set(&n)
			_, err := ann.Create(t.Context(), n, "")
			refused(t, err, fault.Invalid, c.text)
		})
	}
	_, err := ann.Create(t.Context(), client.NewRelease{Service: "cart", Artifact: "/a", Digest: digest1}, "")
	if fault.CodeOf(err) != fault.NotFound {
		t.Errorf("the definition of an unknown service = %v, want not found", err)
	}
}

func TestAServiceKeepsItsEnvironmentsHoweverOftenItWentBack(t *testing.T) {
	r := newRig(t)
	anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "staging", "production")
	for version, digest := range map[string]string{"v1": digest1, "v2": digest2} {
		n := newRelease(version, digest)
		n.Definition = strings.Replace(simple, "      - approval: {roles: [sre, qa]}\n", "", 1)
		ship(t, anna, n)
		work(t, worker, passed)
		work(t, worker, passed)
	}
	s, err := anna.Service(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for range 11 {
		home := s.Environments[1].HomeVersion
		for _, to := range []string{map[string]string{"v1": "v2", "v2": "v1"}[home], home} {
			if _, err := sre.Rollback(t.Context(), "shop", client.Rollback{To: to, Environment: "production"}); err != nil {
				t.Fatal(err)
			}
			work(t, worker, passed)
		}
	}
	s, err = anna.Service(t.Context(), "shop")
	if err != nil || len(s.Environments) != 2 || s.Environments[0].Name != "staging" {
		t.Errorf("shop is %+v, %v", s, err)
	}
}
