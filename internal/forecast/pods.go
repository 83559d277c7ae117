package forecast

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// byPods tells whether the environment's traffic is split by the number of pods behind one
// Service.
func byPods(e *pipeline.Environment) bool {
	var s struct {
		Route struct {
			Name string `json:"name"`
		} `json:"route"`
	}
	return e.Platform == "kubernetes" && json.Unmarshal(e.Settings, &s) == nil && s.Route.Name == ""
}

// sharesByPods are the weights that are possible then; none where any is, or where the
// plan does not say how many pods there are.
func sharesByPods(e *pipeline.Environment) judge.Shares {
	n := 0
	if byPods(e) {
		n = said(e)
	}
	return besidePods(n)
}

// besidePods are the weights of one to n pods beside n others.
func besidePods(n int) judge.Shares {
	var all judge.Shares
	for k := 1; k <= n; k++ {
		all = append(all, float64(k)/float64(k+n))
	}
	return all
}

// sayByPods says which weights a canary can have, and how it ends.
func (o *Outlook) sayByPods(e *pipeline.Environment, s *pipeline.Stage) {
	if !byPods(e) {
		return
	}
	can := fmt.Sprintf("beside %d pods a canary can have only %s", said(e), percentages(sharesByPods(e)))
	if said(e) == 0 {
		const example = 4
		can = fmt.Sprintf("beside the Deployment's n pods a canary's k have k/(n+k): beside %d, for instance, only %s", example, percentages(besidePods(example)))
	}
	text := fmt.Sprintf("%s in %s: the traffic is split by pods, so %s", s.Name, e.Name, can)
	if s.Canary.Holdback > 0 && s.Canary.Holdback < 0.5 {
		text += fmt.Sprintf("; it is watched at half of the traffic at most, not at %.3g %%", 100*(1-s.Canary.Holdback))
	}
	o.warn("%s", text)
}

// percentages are shares for people: the first ones, and the last.
func percentages(shares judge.Shares) string {
	const most = 6
	var text []string
	for i, share := range shares {
		switch {
		case len(shares) <= most || i < most-1 || i == len(shares)-1:
			text = append(text, fmt.Sprintf("%.3g %%", 100*share))
		case i == most-1:
			text = append(text, "…")
		}
	}
	return strings.Join(text, ", ")
}
