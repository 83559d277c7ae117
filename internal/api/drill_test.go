package api_test

import (
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
