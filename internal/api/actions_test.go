package api_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// waiting is a release of ann's that waits for an approval in production.
func waiting(t *testing.T, r *rig) (ann, worker *client.Client, d client.ReleaseDetail) {
	t.Helper()
	ann, worker = r.person("ann", auth.Developer, auth.SRE), r.worker("w1")
	d = ship(t, ann, newRelease("v1", digest1))
	work(t, worker, passed)
	return ann, worker, d
}

func TestApprovalsAreBound(t *testing.T) {
	r := newRig(t)
	ann, _, d := waiting(t, r)
	dev, sue := r.person("dan", auth.Developer), r.person("sue", auth.SRE)
	_, err := ann.Approve(t.Context(), d.ID, client.Approval{})
	refused(t, err, fault.Denied, "ann made this release")
	_, err = ann.Reject(t.Context(), d.ID, client.Approval{})
	refused(t, err, fault.Denied, "ann made this release")
	_, err = dev.Approve(t.Context(), d.ID, client.Approval{})
	refused(t, err, fault.Denied, "takes the role sre or qa")
	_, err = sue.Approve(t.Context(), d.ID, client.Approval{Digest: digest2})
	refused(t, err, fault.Conflict, "for the artifact "+digest2)
	_, err = sue.Approve(t.Context(), d.ID, client.Approval{PlanHash: "0000"})
	refused(t, err, fault.Conflict, "for the plan 0000")
	_, err = sue.Approve(t.Context(), d.ID, client.Approval{Stage: "deploy"})
	if fault.CodeOf(err) != fault.Conflict {
		t.Errorf("approving another stage = %v", err)
	}
	_, err = sue.Approve(t.Context(), d.ID, client.Approval{Environment: "moon"})
	refused(t, err, fault.Invalid, `"moon"`)
	if d, err = sue.Approve(t.Context(), d.ID, client.Approval{Digest: digest1, PlanHash: d.PlanHash}); err != nil {
		t.Fatal(err)
	}
	_, err = sue.Approve(t.Context(), d.ID, client.Approval{})
	refused(t, err, fault.Conflict, "nothing waits for an answer")
}

func TestARejectionTakesTheReleaseBack(t *testing.T) {
	r := newRig(t)
	_, _, d := waiting(t, r)
	quinn := r.person("quinn", auth.QA)
	d, err := quinn.Reject(t.Context(), d.ID, client.Approval{Reason: "the menu is gone"})
	if err != nil {
		t.Fatal(err)
	}
	if e := d.Run.Environment("production"); e.State == pipeline.EnvironmentRunning || !strings.Contains(e.Reason, "the menu is gone") {
		t.Errorf("production is %s: %s", e.State, e.Reason)
	}
}

func TestAHeldStageIsDecidedByAPerson(t *testing.T) {
	r := newRig(t)
	_, worker, d := waiting(t, r)
	sue, quinn := r.person("sue", auth.ReleaseManager, auth.SRE), r.person("quinn", auth.QA)
	if _, err := sue.Approve(t.Context(), d.ID, client.Approval{}); err != nil {
		t.Fatal(err)
	}
	task := lease(t, worker)
	report(t, worker, task, stage.Outcome{Status: stage.Continue, Asks: "no proof after 1h; promote anyway?"})
	d, err := sue.Release(t.Context(), d.ID)
	if err != nil || !strings.Contains(strings.Join(d.Actions, " "), "decide reject") || !strings.Contains(d.Asks, "promote anyway?") {
		t.Fatalf("actions = %v, asks = %q, %v", d.Actions, d.Asks, err)
	}
	_, err = quinn.Approve(t.Context(), d.ID, client.Approval{})
	refused(t, err, fault.Denied, "release-manager or sre")
	if _, err := sue.Approve(t.Context(), d.ID, client.Approval{}); err != nil {
		t.Fatal(err)
	}
	if reply := report(t, worker, task, stage.Outcome{Status: stage.Continue, Asks: "no proof after 1h; promote anyway?"}); reply.Decision != "promote" {
		t.Errorf("the worker was told %+v", reply)
	}
}

func TestPauseAndResume(t *testing.T) {
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	d := ship(t, ann, newRelease("v1", digest1))
	task := lease(t, worker)
	d, err := ann.Pause(t.Context(), d.ID, client.Action{Reason: "lunch"})
	if err != nil || d.Run.Paused == nil || !strings.Contains(d.Headline, "Paused by ann: lunch") {
		t.Fatalf("paused: %q, %v", d.Headline, err)
	}
	if reply := report(t, worker, task, stage.Outcome{Status: stage.Continue}); !strings.Contains(reply.Hold, "lunch") {
		t.Errorf("the worker was told %+v", reply)
	}
	_, err = ann.Pause(t.Context(), d.ID, client.Action{})
	if fault.CodeOf(err) != fault.Conflict {
		t.Errorf("pausing twice = %v", err)
	}
	if d, err = ann.Resume(t.Context(), d.ID, client.Action{}); err != nil || d.Run.Paused != nil {
		t.Errorf("resumed: %v", err)
	}
	if reply := report(t, worker, task, stage.Outcome{Status: stage.Continue}); reply.Hold != "" {
		t.Errorf("the worker is still held: %+v", reply)
	}
}

func TestRollbackByWhoMay(t *testing.T) {
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	dan, sam := r.person("dan", auth.Developer), r.person("sam", auth.Support)
	d := ship(t, ann, newRelease("v1", digest1))
	work(t, worker, stage.Outcome{Status: stage.Continue, Exposed: true})
	_, err := dan.Rollback(t.Context(), d.ID, client.Rollback{})
	refused(t, err, fault.Denied, "may not roll back a release of ann")
	if d, err = sam.Rollback(t.Context(), d.ID, client.Rollback{Reason: "calls come in"}); err != nil || d.State != pipeline.RunRollingBack {
		t.Fatalf("state = %s, %v", d.State, err)
	}
	second := ship(t, ann, newRelease("v2", digest2))
	if _, err := ann.Rollback(t.Context(), second.ID, client.Rollback{}); err != nil {
		t.Errorf("a developer takes back their own: %v", err)
	}
}

func TestAnOlderReleaseComesHomeAgain(t *testing.T) {
	r := newRig(t)
	ann, sue, worker := r.person("ann", auth.Developer), r.person("sue", auth.SRE), r.worker("w1")
	first := ship(t, ann, newRelease("v1", digest1))
	toProduction(t, worker, sue, first.ID)
	second := ship(t, ann, newRelease("v2", digest2))
	toProduction(t, worker, sue, second.ID)

	_, err := sue.Rollback(t.Context(), "shop@v1", client.Rollback{})
	refused(t, err, fault.Conflict, "shop@v1 is no longer what runs in production: shop@v2 is")
	_, err = sue.Rollback(t.Context(), "shop", client.Rollback{To: "v2"})
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "already at home") {
		t.Errorf("bringing home what is home = %v", err)
	}
	_, err = sue.Rollback(t.Context(), "shop", client.Rollback{To: "v7"})
	if fault.CodeOf(err) != fault.NotFound {
		t.Errorf("an unknown version = %v", err)
	}
	d, err := sue.Rollback(t.Context(), "shop", client.Rollback{To: "v1", Reason: "v2 is slow"})
	if err != nil {
		t.Fatal(err)
	}
	if d.ID == first.ID || d.RollbackTo != first.ID || d.Digest != digest1 || d.Author != "sue" || d.Note != "v2 is slow" {
		t.Errorf("made %+v", d.Release)
	}
	if len(d.Plan.Environments) != 1 || d.Plan.Environments[0].Name != "production" || d.Plan.Environments[0].Stages[0].Promote.Strategy != pipeline.BlueGreen {
		t.Errorf("its plan is %+v", d.Plan.Environments)
	}
	_, err = sue.Rollback(t.Context(), d.ID, client.Rollback{To: "v2"})
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "is still running in production") {
		t.Errorf("while it moves = %v", err)
	}
	work(t, worker, passed)
	s, err := sue.Service(t.Context(), "shop")
	if err != nil || s.Environments[1].Home != d.ID || s.Environments[1].HomeVersion != "v1" || len(s.Environments) != 2 {
		t.Errorf("the service is %+v, %v", s, err)
	}
}

func TestTheSameRestoreUnderOneKeyMakesOneRelease(t *testing.T) {
	r := newRig(t)
	ann, sue, worker := r.person("ann", auth.Developer), r.person("sue", auth.SRE), r.worker("w1")
	for version, digest := range map[string]string{"v1": digest1, "v2": digest2} {
		toProduction(t, worker, sue, ship(t, ann, newRelease(version, digest)).ID)
	}
	home, err := sue.Release(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	older := map[string]string{"v1": "v2", "v2": "v1"}[home.Version]
	ask := client.Rollback{To: older, Reason: "it is slow"}

	ids := make([]string, 6)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			ref := []string{home.ID, "shop"}[i%2] // the name soon means the new release
			d, err := sue.Restore(context.Background(), ref, ask, "key-1")
			if err != nil {
				t.Errorf("restore %d: %v", i, err)
			}
			ids[i] = d.ID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] || id == home.ID {
			t.Fatalf("one key made the releases %v", ids)
		}
	}
	work(t, worker, passed) // and after it is at home it is still that one
	d, err := sue.Restore(t.Context(), "shop", ask, "key-1")
	if err != nil || d.ID != ids[0] || d.State != pipeline.RunSucceeded {
		t.Errorf("at the end the key returns %s (%s), %v; want %s", d.ID, d.State, err, ids[0])
	}
	_, err = sue.Restore(t.Context(), "shop", client.Rollback{To: older, Reason: "another"}, "key-1")
	refused(t, err, fault.Conflict, `the idempotency key "key-1" was already used for another request`)
	_, err = sue.Restore(t.Context(), "shop", ask, "key-2")
	refused(t, err, fault.Conflict, "already at home")
}

func TestSkipNeedsARoleAndAReason(t *testing.T) {
	r := newRig(t)
	ann, sue := r.person("ann", auth.Developer), r.person("sue", auth.SRE)
	r.worker("w1")
	d := ship(t, ann, newRelease("v1", digest1))
	_, err := ann.Skip(t.Context(), d.ID, client.Action{Environment: "production", Reason: "hurry"})
	refused(t, err, fault.Denied, "may not skip production")
	_, err = sue.Skip(t.Context(), d.ID, client.Action{Environment: "production", Reason: " "})
	refused(t, err, fault.Invalid, "needs a reason")
	if d, err = sue.Skip(t.Context(), d.ID, client.Action{Environment: "production", Reason: "closed"}); err != nil {
		t.Fatal(err)
	}
	if e := d.Run.Environment("production"); e.State != pipeline.EnvironmentSkipped {
		t.Errorf("production is %s", e.State)
	}
}
