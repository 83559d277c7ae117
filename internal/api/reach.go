package api

import (
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

// reach is where a worker works: the environments and the regions; empty means all.
type reach struct{ environments, regions []string }

// in is the reach of one environment and region.
func in(environment, region string) reach { return reach{[]string{environment}, []string{region}} }

// String says it for people.
func (r reach) String() string {
	where := "all environments"
	if len(r.environments) > 0 {
		where = strings.Join(r.environments, ", ")
	}
	if named := slices.DeleteFunc(slices.Clone(r.regions), func(s string) bool { return s == "" }); len(named) > 0 {
		where += " in " + strings.Join(named, ", ")
	}
	return where
}

// workerReach is what the worker asks for or, where it leaves that open, what its token
// covers. Asking for more is refused (fault.Denied): a worker that thinks it has a region
// which it does not get would look healthy, and nobody would work there.
func workerReach(id auth.Identity, asked reach) (reach, error) {
	if !id.Worker && !id.Has(auth.Admin) {
		return reach{}, fault.Errorf(fault.Denied, "%s is not a worker", id.User).
			WithHint("make a worker's token with `fairway token add --worker`")
	}
	var token reach
	if id.Token != nil {
		token = reach{id.Token.Environments, id.Token.Regions}
	}
	environments, envOK := within(asked.environments, token.environments)
	regions, regionOK := within(asked.regions, token.regions)
	if !envOK || !regionOK {
		return reach{}, fault.Errorf(fault.Denied, "the worker asks for %s, and its token is for %s", asked, token).
			WithHint("start the worker with what its token is for, or make one with `fairway token add --worker`, --environment and --region")
	}
	return reach{environments, regions}, nil
}

// within returns what is asked, or all that is allowed where nothing is; ok is false where
// more is asked than allowed. An empty list means all.
func within(asked, allowed []string) (list []string, ok bool) {
	switch {
	case len(allowed) == 0:
		return asked, true
	case len(asked) == 0:
		return allowed, true
	}
	for _, a := range asked {
		if !slices.Contains(allowed, a) {
			return nil, false
		}
	}
	return asked, true
}
