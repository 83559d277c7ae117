package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

const (
	shopTogether = `
service: shop
owner: team-shop
with: [payments]
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [{gate: latest.tests.status == 'passed'}, deploy]
`
	paymentsTogether = `
service: payments
owner: team-payments
host: {run: ./payments, listen: "127.0.0.1:9080"}
environments:
  - name: production
    stages: [{gate: latest.tests.status == 'passed'}, deploy]
`
	digest3 = "sha256:3333333333333333333333333333333333333333333333333333333333333333"
)

func both(version string) client.NewRelease {
	return client.NewRelease{
		Definition: shopTogether, Version: version, Artifact: "/builds/shop-" + version, Digest: digest1,
		With: []client.NewComponent{{Service: "payments", Definition: paymentsTogether, Version: "p" + version, Artifact: "/builds/payments", Digest: digest2}},
	}
}

// proven lets the tests of the artifacts pass.
func proven(t *testing.T, c *client.Client, digests ...string) {
	t.Helper()
	for _, digest := range digests {
		if _, err := c.AddEvidence(t.Context(), client.Evidence{Digest: digest, Kind: "tests", Status: "passed"}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReleaseOfTwoServicesWaitsForEvidenceAboutBothAndIsFoundByEach(t *testing.T) {
	r := newRig(t)
	anna, worker := r.person("anna", auth.Developer), r.worker("w", "production")
	id := ship(t, anna, both("v1")).ID
	proven(t, anna, digest1)
	d, err := anna.Release(t.Context(), "payments@pv1")
	if err != nil || d.ID != id || !strings.Contains(d.Headline, "gate:payments") {
		t.Fatalf("payments@pv1 is %s, %q, %v", d.ID, d.Headline, err)
	}
	proven(t, anna, digest2)
	for _, service := range []string{"payments", "shop"} {
		if task := work(t, worker, passed); task.Service != service {
			t.Fatalf("the task is for %s, want %s", task.Service, service)
		}
	}
	d, err = anna.Release(t.Context(), "payments")
	if err != nil || d.State != pipeline.RunSucceeded || len(d.With) != 1 || d.With[0].Digest != digest2 {
		t.Fatalf("it is %s with %+v, %v", d.State, d.With, err)
	}
	for service, want := range map[string]string{"shop": "v1 team-shop", "payments": "pv1 "} {
		s, err := anna.Service(t.Context(), service)
		if err != nil || len(s.Environments) != 1 || s.Environments[0].Home != id || s.Environments[0].HomeVersion+" "+s.Owner != want {
			t.Errorf("%s is %+v, %v", service, s, err)
		}
		page, err := anna.Releases(t.Context(), client.Filter{Service: service})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != id {
			t.Errorf("the releases of %s are %+v, %v", service, page.Items, err)
		}
	}
	facts, err := anna.Evidence(t.Context(), digest2)
	if err != nil || len(facts.Items) != 2 || facts.Items[1].Kind != "environment" || facts.Items[1].Name != "production" {
		t.Errorf("what is proven of payments is %+v, %v", facts.Items, err)
	}
}

func TestWithoutADefinitionAServiceGoesByThatOfItsNewestRelease(t *testing.T) {
	r := newRig(t)
	anna := r.person("anna", auth.Developer)
	ask := both("v1")
	ask.With[0].Definition = ""
	_, err := anna.Create(t.Context(), ask, "")
	refused(t, err, fault.NotFound, "payments was never released")
	first := ship(t, anna, both("v1"))
	ask.Version, ask.Artifact = "v2", "/builds/2"
	second := ship(t, anna, ask)
	if second.Plan.Environment("production:payments") == nil || second.With[0].Version != "pv1" || first.ID == second.ID {
		t.Errorf("the second has %+v", second.With)
	}
	// Nobody but shop has led, and still payments has a definition of its own.
	alone := ship(t, anna, client.NewRelease{Service: "payments", Version: "p3", Artifact: "/builds/p3", Digest: digest3})
	if alone.Service != "payments" || len(alone.With) > 0 || alone.Plan.Environment("production") == nil {
		t.Errorf("payments alone goes as %s with %+v", alone.Service, alone.With)
	}
}

func TestTheKeyOfAReleaseOfTwoServicesMakesItOnce(t *testing.T) {
	r := newRig(t)
	anna := r.person("anna", auth.Developer)
	first, err := anna.Create(t.Context(), both("v1"), "key")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := anna.Create(t.Context(), both("v1"), "key"); err != nil || again.ID != first.ID {
		t.Errorf("the repeat made %s, %v; want %s", again.ID, err, first.ID)
	}
	other := both("v1")
	other.With[0].Digest = digest3
	_, err = anna.Create(t.Context(), other, "key")
	refused(t, err, fault.Conflict, "already used for another request")
	other = both("v1")
	other.With = nil
	_, err = anna.Create(t.Context(), other, "key")
	refused(t, err, fault.Conflict, "already used for another request")
}

func TestWhatCannotBeReleasedTogetherIsRefused(t *testing.T) {
	r := newRig(t)
	anna := r.person("anna", auth.Developer)
	for name, c := range map[string]struct {
		set  func(c *client.NewComponent)
		text string
	}{
		"no artifact":          {func(c *client.NewComponent) { c.Artifact = "" }, "payments is released together with another service, and has no artifact"},
		"no digest":            {func(c *client.NewComponent) { c.Digest = "sha256:1" }, "is not the digest of an artifact of payments"},
		"another's definition": {func(c *client.NewComponent) { c.Definition = simple }, "the definition that came for payments is of shop"},
		"a bad definition":     {func(c *client.NewComponent) { c.Definition = "service: payments\n" }, "payments/fairway.yaml"},
		"a service not named": {func(c *client.NewComponent) {
			c.Service, c.Definition = "till", strings.ReplaceAll(paymentsTogether, "payments", "till")
		}, "nothing says that till is released together with shop"},
	} {
		t.Run(name, func(t *testing.T) {
			ask := both("v1")
			c.set(&ask.With[0])
			_, err := anna.Create(t.Context(), ask, "")
			refused(t, err, fault.Invalid, c.text)
		})
	}
}

func TestAnOlderReleaseBringsAllOfItsServicesBackTheLeadingOneFirst(t *testing.T) {
	r := newRig(t)
	anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
	proven(t, anna, digest1, digest2, digest3)
	first := ship(t, anna, both("v1"))
	work(t, worker, passed)
	work(t, worker, passed)
	newer := both("v2")
	newer.Digest, newer.With[0].Digest = digest3, digest1
	ship(t, anna, newer)
	work(t, worker, passed)
	work(t, worker, passed)

	back, err := sre.Rollback(t.Context(), "payments", client.Rollback{To: "pv1", Environment: "production"})
	if err != nil || back.RollbackTo != first.ID || len(back.With) != 1 {
		t.Fatalf("it made %+v, %v", back.Release, err)
	}
	for _, want := range []string{"shop", "payments"} {
		task := work(t, worker, passed)
		if task.Service != want {
			t.Fatalf("%s is brought back, want %s", task.Service, want)
		}
	}
	for service, want := range map[string]string{"shop": "v1", "payments": "pv1"} {
		s, err := anna.Service(t.Context(), service)
		if err != nil || s.Environments[0].HomeVersion != want {
			t.Errorf("at home of %s is %+v, %v", service, s.Environments, err)
		}
	}
	_, err = sre.Rollback(t.Context(), "shop", client.Rollback{To: "v1", Environment: "production"})
	refused(t, err, fault.Conflict, "already at home")
}

func TestAReleaseWhoseLeadingServiceWasReplacedIsNotTakenBack(t *testing.T) {
	r := newRig(t)
	anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
	proven(t, anna, digest1, digest2, digest3)
	first := ship(t, anna, both("v1"))
	work(t, worker, passed)
	work(t, worker, passed)
	newer := both("v2")
	newer.Digest, newer.With = digest3, nil
	ship(t, anna, newer)
	work(t, worker, passed)
	_, err := sre.Rollback(t.Context(), first.ID, client.Rollback{Environment: "production"})
	refused(t, err, fault.Conflict, "shop@v1 is no longer what runs in production: shop@v2 is")
}

func TestADrillIsOfOneServiceThatWentWithAnother(t *testing.T) {
	r := newRig(t)
	anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
	proven(t, anna, digest1, digest2)
	ask := both("v1")
	ask.With[0].Definition = strings.Replace(paymentsTogether, "deploy]", "canary, promote]", 1)
	home := ship(t, anna, ask)
	for range 3 {
		work(t, worker, passed)
	}
	drill, err := sre.Drill(t.Context(), "payments", client.NewDrill{Environment: "production", Errors: 0.5, Reason: "practice"}, "")
	if err != nil || drill.Service != "payments" || len(drill.With) > 0 || drill.DrillOf != home.ID {
		t.Fatalf("the drill is %+v, %v", drill.Release, err)
	}
	if task := work(t, worker, stage.Outcome{Status: stage.Passed, Exposed: true}); task.Target().String() != "payments/production" || task.Entry != "production" {
		t.Errorf("it goes to %s", task.Target())
	}
	_, err = sre.Drill(t.Context(), "shop", client.NewDrill{Environment: "production", Errors: 0.5, Reason: "practice"}, "")
	refused(t, err, fault.Conflict, "shop has no canary in production")
}

// shipped ships the release and carries it out.
func shipped(t *testing.T, as, worker *client.Client, n client.NewRelease) client.ReleaseDetail {
	t.Helper()
	d := ship(t, as, n)
	for range 1 + len(n.With) {
		work(t, worker, passed)
	}
	return d
}

// of gives the version of two services other artifacts.
func of(version, shop, payments string) client.NewRelease {
	n := both(version)
	n.Digest, n.With[0].Digest = shop, payments
	return n
}

func TestAnOlderReleaseThatWasBroughtBackComesBackInTheSameOrder(t *testing.T) {
	r := newRig(t)
	anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
	proven(t, anna, digest1, digest2, digest3)
	shipped(t, anna, worker, of("v1", digest1, digest2))
	for _, version := range []string{"v2", "v3"} {
		shipped(t, anna, worker, of(version, digest3, digest1))
		if _, err := sre.Rollback(t.Context(), "shop", client.Rollback{To: "v1", Environment: "production"}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"shop", "payments"} {
			if task := work(t, worker, passed); task.Service != want {
				t.Fatalf("from %s %s is brought back first, want %s", version, task.Service, want)
			}
		}
	}
}

func TestOneServicesOlderVersionIsNotThatOfAnother(t *testing.T) {
	r := newRig(t)
	anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
	proven(t, anna, digest1, digest2, digest3)
	payments := client.NewRelease{Definition: paymentsTogether, Version: "v1", Artifact: "/builds/payments-1", Digest: digest3}
	older := shipped(t, anna, worker, payments)
	shop := of("v1", digest1, digest2)
	shop.With = nil
	shipped(t, anna, worker, shop)
	both := shipped(t, anna, worker, of("v2", digest2, digest1))
	back, err := sre.Rollback(t.Context(), both.ID, client.Rollback{To: "payments@v1", Environment: "production"})
	if err != nil || back.RollbackTo != older.ID || back.Service != "payments" {
		t.Errorf("it made %+v, %v", back.Release, err)
	}
}

func TestNoServiceIsTakenAlongThatHasMovedOnAlone(t *testing.T) {
	r := newRig(t)
	anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
	proven(t, anna, digest1, digest2, digest3)
	shipped(t, anna, worker, of("v1", digest1, digest2))
	shop := of("v4", digest3, digest2)
	shop.With = nil
	shipped(t, anna, worker, shop)
	shipped(t, anna, worker, client.NewRelease{Service: "payments", Version: "p9", Artifact: "/builds/p9", Digest: digest3})
	_, err := sre.Rollback(t.Context(), "payments", client.Rollback{To: "pv1", Environment: "production"})
	refused(t, err, fault.Conflict, "shop has moved on in production since, by shop@v4")
}

// What was brought back may be taken back too. Its order is the opposite one, and so is
// what needs what.
func TestWhatWasBroughtBackKeepsWhatANewerReleaseMayNeed(t *testing.T) {
	r := newRig(t)
	anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
	proven(t, anna, digest1, digest2, digest3)
	shipped(t, anna, worker, of("v1", digest1, digest2))
	shipped(t, anna, worker, of("v2", digest3, digest1))
	restored, err := sre.Rollback(t.Context(), "shop", client.Rollback{To: "v1", Environment: "production"})
	if err != nil {
		t.Fatal(err)
	}
	work(t, worker, passed)
	work(t, worker, passed)
	shipped(t, anna, worker, client.NewRelease{Service: "payments", Version: "p4", Artifact: "/builds/p4", Digest: digest3})
	if _, err := sre.Rollback(t.Context(), restored.ID, client.Rollback{Environment: "production", Reason: "shop is bad"}); err != nil {
		t.Fatal(err)
	}
	if task := work(t, worker, passed); task.Service != "shop" || !task.Undo {
		t.Fatalf("the task is %s of %s", task.Stage.Name, task.Service)
	}
	for service, want := range map[string]string{"shop": "v2", "payments": "p4"} {
		s, err := anna.Service(t.Context(), service)
		if err != nil || s.Environments[0].HomeVersion != want {
			t.Errorf("at home of %s is %+v, %v", service, s.Environments, err)
		}
	}
}

// restWithPayments takes shop of a release of both back while payments alone has moved on, and
// then that one too: what is left at home of the release is payments.
func restWithPayments(t *testing.T, r *rig) (anna, sre, worker *client.Client, rest client.ReleaseDetail) {
	t.Helper()
	anna, sre, worker = r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
	proven(t, anna, digest1, digest2, digest3)
	shipped(t, anna, worker, of("v1", digest1, digest2))
	rest = shipped(t, anna, worker, of("v2", digest3, digest1))
	alone := shipped(t, anna, worker, client.NewRelease{Service: "payments", Version: "p3", Artifact: "/builds/p3", Digest: digest3})
	for _, back := range []struct{ release, service string }{{rest.ID, "shop"}, {alone.ID, "payments"}} {
		if _, err := sre.Rollback(t.Context(), back.release, client.Rollback{Environment: "production"}); err != nil {
			t.Fatal(err)
		}
		if task := work(t, worker, passed); task.Service != back.service || !task.Undo {
			t.Fatalf("the task is for %s (undo: %v), want to undo %s", task.Service, task.Undo, back.service)
		}
	}
	atHome(t, anna, map[string]string{"shop": "v1", "payments": "pv2"})
	return anna, sre, worker, rest
}

func atHome(t *testing.T, c *client.Client, versions map[string]string) {
	t.Helper()
	for service, want := range versions {
		if s, err := c.Service(t.Context(), service); err != nil || s.Environments[0].HomeVersion != want {
			t.Errorf("at home of %s is %+v, %v, want %s", service, s.Environments, err, want)
		}
	}
}

// idle ends the test unless there is nothing to do for the worker.
func idle(t *testing.T, worker *client.Client) {
	t.Helper()
	tasks, err := worker.Lease(t.Context(), stage.LeaseAsk{Entries: true, Worker: "w", Max: 1})
	if err != nil || len(tasks) > 0 {
		t.Fatalf("tasks %+v, %v", tasks, err)
	}
}

func TestWhatIsLeftOfAReleaseIsTakenBackAfterTheLeadingServiceWas(t *testing.T) {
	for _, environment := range []string{"", "production", "production:payments"} {
		t.Run("in "+environment, func(t *testing.T) {
			r := newRig(t)
			anna, sre, worker, rest := restWithPayments(t, r)
			d, err := sre.Release(t.Context(), rest.ID)
			if err != nil || !slices.Contains(d.Actions, "rollback") {
				t.Errorf("what may be done is %q, %v", d.Actions, err)
			}
			if _, err := sre.Rollback(t.Context(), rest.ID, client.Rollback{Environment: environment}); err != nil {
				t.Fatalf("%v (%s)", err, fault.HintOf(err))
			}
			if task := work(t, worker, passed); task.Service != "payments" || !task.Undo {
				t.Fatalf("the task is for %s (undo: %v)", task.Service, task.Undo)
			}
			atHome(t, anna, map[string]string{"shop": "v1", "payments": "pv1"})
		})
	}
}

func TestWhatIsLeftOfAReleaseStaysWhereANewerOneMayNeedIt(t *testing.T) {
	r := newRig(t)
	anna, sre, worker, rest := restWithPayments(t, r)
	moving := ship(t, anna, alone("v4", digest2))

	// One that queues behind the newer one finds it at home.
	if _, err := sre.Rollback(t.Context(), rest.ID, client.Rollback{Environment: "production"}); err != nil {
		t.Fatal(err)
	}
	work(t, worker, passed)
	if d, err := anna.Release(t.Context(), moving.ID); err != nil || d.State != pipeline.RunSucceeded {
		t.Fatalf("the newer one is %s, %v", d.State, err)
	}
	idle(t, worker)
	atHome(t, anna, map[string]string{"shop": "v4", "payments": "pv2"})

	// And one that comes later is refused.
	_, err := sre.Rollback(t.Context(), rest.ID, client.Rollback{Environment: "production"})
	refused(t, err, fault.Conflict, "payments pv2 stays in production: shop@v4 may need it")
	if d, err := sre.Release(t.Context(), rest.ID); err != nil || slices.Contains(d.Actions, "rollback") {
		t.Errorf("what may be done is %q, %v", d.Actions, err)
	}
}

// alone is a release of shop without payments.
func alone(version, digest string) client.NewRelease {
	n := of(version, digest, digest2)
	n.With = nil
	return n
}

func TestWhoBringsAServiceBackMayTakeBackAllThatMovesWithIt(t *testing.T) {
	r := newRig(t)
	anna, ben, sre := r.person("anna", auth.Developer), r.person("ben", auth.Developer), r.person("ines", auth.SRE)
	worker := r.worker("w", "production")
	proven(t, anna, digest1, digest2, digest3)
	shipped(t, anna, worker, of("v1", digest1, digest2))
	mine := shipped(t, anna, worker, alone("v2", digest3))
	shipped(t, ben, worker, client.NewRelease{Service: "payments", Version: "p9", Artifact: "/builds/p9", Digest: digest3})

	// payments comes back with shop, and what runs of it is ben's.
	back := client.Rollback{To: "v1", Environment: "production"}
	_, err := anna.Rollback(t.Context(), mine.ID, back)
	refused(t, err, fault.Denied, "anna may not replace payments@p9 of ben in production: it takes the role release-manager, sre or support")
	idle(t, worker)
	if _, err := sre.Rollback(t.Context(), mine.ID, back); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"shop", "payments"} {
		if task := work(t, worker, passed); task.Service != want {
			t.Fatalf("%s is brought back, want %s", task.Service, want)
		}
	}
	atHome(t, anna, map[string]string{"shop": "v1", "payments": "pv1"})
}

func TestWhoBringsAReleaseBackNeedNotAskWhoseWorkStays(t *testing.T) {
	r := newRig(t)
	anna, ben := r.person("anna", auth.Developer), r.person("ben", auth.Developer)
	worker := r.worker("w", "production")
	proven(t, anna, digest1, digest2, digest3)
	shipped(t, anna, worker, of("v1", digest1, digest2))
	mine := shipped(t, anna, worker, alone("v2", digest3))
	// The same payments again, by ben: nothing of it moves.
	shipped(t, ben, worker, client.NewRelease{Service: "payments", Version: "pv1", Artifact: "/builds/payments", Digest: digest2})
	if _, err := anna.Rollback(t.Context(), mine.ID, client.Rollback{To: "shop@v1", Environment: "production"}); err != nil {
		t.Fatal(err)
	}
}

func TestNobodyTakesAnothersReleaseBackByNamingAnOlderOneOfTheirOwn(t *testing.T) {
	r := newRig(t)
	anna, ben := r.person("anna", auth.Developer), r.person("ben", auth.Developer)
	worker := r.worker("w", "production")
	proven(t, anna, digest1, digest2, digest3)
	shipped(t, anna, worker, alone("v1", digest1))
	mine := shipped(t, anna, worker, alone("v2", digest2))
	shipped(t, ben, worker, alone("v3", digest3))
	_, err := anna.Rollback(t.Context(), mine.ID, client.Rollback{To: "v1", Environment: "production"})
	refused(t, err, fault.Denied, "anna may not replace shop@v3 of ben in production")
}

// ben's release will be at home by the time that anna's is brought back.
func TestNobodyTakesAnothersReleaseBackWhileItMoves(t *testing.T) {
	r := newRig(t)
	anna, ben, sre := r.person("anna", auth.Developer), r.person("ben", auth.Developer), r.person("ines", auth.SRE)
	worker := r.worker("w", "production")
	proven(t, anna, digest1, digest2, digest3)
	shipped(t, anna, worker, alone("v1", digest1))
	mine := shipped(t, anna, worker, alone("v2", digest2))
	moving := ship(t, ben, alone("v3", digest3))
	back := client.Rollback{To: "v1", Environment: "production"}
	_, err := anna.Rollback(t.Context(), mine.ID, back)
	refused(t, err, fault.Denied, "anna may not replace shop@v3 of ben in production")
	if _, err := sre.Rollback(t.Context(), mine.ID, back); err != nil {
		t.Errorf("who has the role: %v", err)
	}
	if _, err := ben.Rollback(t.Context(), moving.ID, client.Rollback{Environment: "production"}); err != nil {
		t.Fatal(err)
	}
	if _, err := anna.Rollback(t.Context(), mine.ID, back); err != nil {
		t.Errorf("while ben's goes back: %v", err)
	}
}

// anna's newest release goes back to ben's, which will then be at home.
func TestNobodyTakesBackWhatAnotherReleaseIsAboutToGoBackTo(t *testing.T) {
	r := newRig(t)
	anna, ben, sre := r.person("anna", auth.Developer), r.person("ben", auth.Developer), r.person("ines", auth.SRE)
	worker, digest4 := r.worker("w", "production"), "sha256:"+strings.Repeat("d", 64)
	proven(t, anna, digest1, digest2, digest3, digest4)
	shipped(t, anna, worker, alone("v1", digest1))
	mine := shipped(t, anna, worker, alone("v2", digest2))
	shipped(t, ben, worker, alone("v3", digest3))
	newest := shipped(t, anna, worker, alone("v4", digest4))
	if _, err := anna.Rollback(t.Context(), newest.ID, client.Rollback{Environment: "production"}); err != nil {
		t.Fatal(err)
	}
	back := client.Rollback{To: "v1", Environment: "production"}
	_, err := anna.Rollback(t.Context(), mine.ID, back)
	refused(t, err, fault.Denied, "anna may not replace shop@v3 of ben in production")
	if _, err := sre.Rollback(t.Context(), mine.ID, back); err != nil {
		t.Errorf("who has the role: %v", err)
	}
}
