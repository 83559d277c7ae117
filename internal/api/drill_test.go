package api_test

import (
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

func TestADrillNeedsARoleAReasonAndSomethingAtHome(t *testing.T) {
	r := newRig(t)
	ann, sam := r.person("ann", auth.Developer), r.person("sam", auth.SRE)
	d := ship(t, ann, newRelease("v1", digest1))
	ok := client.NewDrill{Environment: "staging", Errors: 0.05, Reason: "is it awake?"}
	with := func(change func(*client.NewDrill)) client.NewDrill {
		n := ok
		change(&n)
		return n
	}
	for name, c := range map[string]struct {
		by   *client.Client
		ask  client.NewDrill
		want fault.Code
	}{
		"a developer":       {ann, ok, fault.Denied},
		"no reason":         {sam, with(func(n *client.NewDrill) { n.Reason = "" }), fault.Invalid},
		"no harm":           {sam, with(func(n *client.NewDrill) { n.Errors = 0 }), fault.Invalid},
		"all and more":      {sam, with(func(n *client.NewDrill) { n.Errors = 1.5 }), fault.Invalid},
		"no duration":       {sam, with(func(n *client.NewDrill) { n.Delay = "soon" }), fault.Invalid},
		"for too long":      {sam, with(func(n *client.NewDrill) { n.For = "2d" }), fault.Invalid},
		"no digest":         {sam, with(func(n *client.NewDrill) { n.Artifact = "./bad" }), fault.Invalid},
		"nothing is home":   {sam, ok, fault.Conflict},
		"a strange service": {sam, ok, fault.NotFound},
	} {
		service := d.Service
		if name == "a strange service" {
			service = "other"
		}
		if _, err := c.by.Drill(t.Context(), service, c.ask, ""); fault.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestADrillSaysSoAndHidesNothingOfItsService(t *testing.T) {
	r := newRig(t)
	ann, sam, worker := r.person("ann", auth.Developer), r.person("sam", auth.SRE), r.worker("w1")
	n := newRelease("v1", digest1)
	n.Definition = strings.Replace(simple, "      - deploy\n", "      - canary\n", 1)
	d := ship(t, ann, n)
	toProduction(t, worker, sam, d.ID)
	work(t, worker, passed) // the promote that follows a canary
	before, err := ann.Service(t.Context(), "shop")
	if err != nil || len(before.Environments) < 2 {
		t.Fatalf("%+v, %v", before, err)
	}
	drill, err := sam.Drill(t.Context(), "shop", client.NewDrill{Environment: "production", Errors: 0.05, Reason: "is it awake?"}, "")
	if err != nil {
		t.Fatal(err)
	}
	list, err := ann.Releases(t.Context(), client.Filter{})
	if err != nil || len(list.Items) != 2 || list.Items[0].DrillOf != d.ID || list.Items[1].DrillOf != "" || drill.DrillOf != d.ID {
		t.Errorf("%s is a drill of %q, in the list %+v, %v", drill.ID, drill.DrillOf, list.Items, err)
	}
	after, err := ann.Service(t.Context(), "shop")
	if err != nil || len(after.Environments) != len(before.Environments) {
		t.Errorf("of %+v are left %+v, %v", before.Environments, after.Environments, err)
	}
}
