package api_test

import (
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

const regional = `
service: shop
owner: team-shop
host: {run: "./shop -port $PORT", listen: "127.0.0.1:8080"}
environments:
  - name: production
    regions: [eu, us, ap]
    waves: [eu, rest]
    takeBack: ask
    stages: [deploy, {approval: {roles: [sre]}}, {check: {http: [/]}}]
`

func inRegions(version, digest string) client.NewRelease {
	return client.NewRelease{Definition: regional, Version: version, Artifact: "/builds/shop-" + version, Digest: digest}
}

var bad = stage.Outcome{Status: stage.Failed, Exposed: true, Reason: "it is bad"}

// everywhere brings the release home in all three regions.
func everywhere(t *testing.T, worker, sre *client.Client, id string) {
	t.Helper()
	for range 3 { // each region waits for its own approval
		work(t, worker, passed)
		if _, err := sre.Approve(t.Context(), id, client.Approval{Environment: "production"}); err != nil {
			t.Fatal(err)
		}
		work(t, worker, passed)
	}
	if d, err := sre.Release(t.Context(), id); err != nil || d.State != pipeline.RunSucceeded {
		t.Fatalf("it is %s, %v", d.State, err)
	}
}

func homes(t *testing.T, c *client.Client) string {
	t.Helper()
	s, err := c.Service(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range s.Environments {
		all = append(all, e.Name+" "+e.HomeVersion)
	}
	return strings.Join(all, ", ")
}

func TestAPersonDecidesAboutTheWavesBeforeTheOneThatFailed(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(*client.Client, string) (client.ReleaseDetail, error)
		back   int // how many regions go back after the answer
	}{
		{"kept", func(sre *client.Client, id string) (client.ReleaseDetail, error) {
			return sre.Approve(t.Context(), id, client.Approval{})
		}, 0},
		{"taken back", func(sre *client.Client, id string) (client.ReleaseDetail, error) {
			return sre.Reject(t.Context(), id, client.Approval{})
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
			id := ship(t, anna, inRegions("v1", digest1)).ID
			work(t, worker, passed)
			if _, err := sre.Approve(t.Context(), id, client.Approval{}); err != nil {
				t.Fatal(err)
			}
			work(t, worker, passed)
			work(t, worker, bad)
			for range 2 {
				if task := work(t, worker, stage.Outcome{Status: stage.Passed}); !task.Undo || task.Region == "eu" {
					t.Fatalf("%s: undo %v", task.Region, task.Undo)
				}
			}
			d, err := sre.Release(t.Context(), id)
			if err != nil || !strings.Contains(d.Asks, "keep it there, or take it back?") || !strings.Contains(strings.Join(d.Actions, " "), "decide reject") {
				t.Fatalf("it asks %q, offers %v, %v", d.Asks, d.Actions, err)
			}
			_, err = c.answer(anna, id)
			refused(t, err, fault.Denied, "anna")
			if _, err := c.answer(sre, id); err != nil {
				t.Fatal(err)
			}
			for range c.back {
				if task := work(t, worker, stage.Outcome{Status: stage.Passed}); task.Region != "eu" || !task.Undo {
					t.Fatalf("%s: undo %v", task.Region, task.Undo)
				}
			}
			if d, err = sre.Release(t.Context(), id); err != nil || d.State != pipeline.RunRolledBack {
				t.Errorf("it is %s, %v", d.State, err)
			}
		})
	}
}

func TestARegionOrAllOfThemGoBackLate(t *testing.T) {
	r := newRig(t)
	anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
	everywhere(t, worker, sre, ship(t, anna, inRegions("v1", digest1)).ID)
	id := ship(t, anna, inRegions("v2", digest2)).ID
	everywhere(t, worker, sre, id)
	if got := homes(t, anna); got != "production v2" {
		t.Errorf("at home is %s", got)
	}
	_, err := sre.Rollback(t.Context(), id, client.Rollback{Environment: "production/mars"})
	refused(t, err, fault.Invalid, "production/mars")
	if _, err := sre.Rollback(t.Context(), id, client.Rollback{Environment: "production/us"}); err != nil {
		t.Fatal(err)
	}
	if task := work(t, worker, stage.Outcome{Status: stage.Passed}); task.Region != "us" {
		t.Errorf("%s goes back", task.Region)
	}
	if _, err := sre.Rollback(t.Context(), id, client.Rollback{}); err != nil {
		t.Fatal(err)
	}
	back := ""
	for range 2 {
		back += work(t, worker, stage.Outcome{Status: stage.Passed}).Region + " "
	}
	if back != "ap eu " {
		t.Errorf("%sgo back, the newest wave first", back)
	}
	_, err = sre.Rollback(t.Context(), id, client.Rollback{Environment: "production"})
	if fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a second time: %v", err)
	}
	if got := homes(t, anna); got != "production v1" {
		t.Errorf("at home is %s", got)
	}
}

func TestAnOlderReleaseIsBroughtBackToAllRegionsAtOnce(t *testing.T) {
	r := newRig(t)
	anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
	everywhere(t, worker, sre, ship(t, anna, inRegions("v1", digest1)).ID)
	second := ship(t, anna, inRegions("v2", digest2))
	everywhere(t, worker, sre, second.ID)
	d, err := sre.Restore(t.Context(), second.ID, client.Rollback{To: "v1", Environment: "production"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if task := work(t, worker, passed); task.Release != d.ID || task.Stage.Promote == nil {
			t.Errorf("%s has stage %s", task.Region, task.Stage.Name)
		}
	}
	if d, err = sre.Release(t.Context(), d.ID); err != nil || d.State != pipeline.RunSucceeded || len(d.Run.Environments) != 3 {
		t.Errorf("it is %s in %d regions, %v", d.State, len(d.Run.Environments), err)
	}
	_, err = sre.Restore(t.Context(), d.ID, client.Rollback{To: "v1", Environment: "production"}, "")
	refused(t, err, fault.Conflict, "already at home")
}

func TestADrillIsHeldInOneRegion(t *testing.T) {
	r := newRig(t)
	anna, sre, worker := r.person("anna", auth.Developer), r.person("ines", auth.SRE), r.worker("w", "production")
	n := inRegions("v1", digest1)
	n.Definition = strings.Replace(regional, "[deploy, {approval: {roles: [sre]}}, {check: {http: [/]}}]", "[canary]", 1)
	ship(t, anna, n)
	for range 6 { // a canary and a promotion in each
		work(t, worker, passed)
	}
	_, err := sre.Drill(t.Context(), "shop", client.NewDrill{Environment: "production", Errors: 0.1, Reason: "exercise"}, "")
	refused(t, err, fault.Invalid, "3 regions")
	d, err := sre.Drill(t.Context(), "shop", client.NewDrill{Environment: "production/us", Errors: 0.1, Reason: "exercise"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if task := lease(t, worker); task.Release != d.ID || task.Region != "us" || task.Drill == nil {
		t.Errorf("the drill is in %s", task.Region)
	}
}
