package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// region is one region of an environment, or one service in it, as a release has it.
type region struct {
	wave  int
	name  string
	stage string
	run   *pipeline.EnvironmentRun
}

// urgency orders states: first those that a person may have to look at.
var urgency = map[pipeline.EnvironmentState]int{
	pipeline.EnvironmentRollingBack: 1, pipeline.EnvironmentFailed: 2, pipeline.EnvironmentRolledBack: 3,
	pipeline.EnvironmentRunning: 4, pipeline.EnvironmentPending: 5, pipeline.EnvironmentCancelled: 6,
	pipeline.EnvironmentSkipped: 7, pipeline.EnvironmentSucceeded: 8,
}

// asks is what a person is asked about the region.
func (g region) asks() string {
	return cmp.Or(g.run.Asks, g.run.Stages[g.run.Stage].Asks)
}

// urgency is smaller for regions that are shown first.
func (g region) urgency() int {
	if g.asks() != "" {
		return 0
	}
	return urgency[g.run.State]
}

// printRegions shows, of each environment with regions, where the release is in them: by
// wave, the troubled ones first. Of many that stand alike in a wave only their number is told.
func printRegions(w io.Writer, r client.ReleaseDetail) {
	byEnvironment := map[string][]region{}
	var order []string
	for i := range r.Run.Environments {
		p, e := &r.Plan.Environments[i], &r.Run.Environments[i]
		if p.Wave() == 0 || p.Place() == p.In() {
			continue
		}
		if byEnvironment[p.In()] == nil {
			order = append(order, p.In())
		}
		byEnvironment[p.In()] = append(byEnvironment[p.In()], region{wave: p.Wave(), name: strings.TrimPrefix(p.Name, p.In()+"/"), stage: p.Stages[e.Stage].Name, run: e})
	}
	for _, environment := range order {
		all := byEnvironment[environment]
		slices.SortStableFunc(all, func(a, b region) int {
			return cmp.Or(cmp.Compare(a.wave, b.wave), cmp.Compare(a.urgency(), b.urgency()))
		})
		fmt.Fprintf(w, "\n%s in its regions\n", environment)
		printTable(w, []string{"WAVE", "REGION", "STATE", "STAGE", "TOOK", "WHY"}, regionRows(all))
	}
}

func regionRows(all []region) [][]string {
	var rows [][]string
	for i := 0; i < len(all); {
		end := i + 1
		for end < len(all) && all[end].wave == all[i].wave && all[end].urgency() == all[i].urgency() {
			end++
		}
		if g := all[i]; end-i > manyRegions && g.urgency() > 0 {
			var names []string
			for _, one := range all[i:end] {
				names = append(names, one.name)
			}
			rows = append(rows, []string{fmt.Sprint(g.wave), fmt.Sprintf("%d regions", end-i), string(g.run.State), "", "", some(names)})
			i = end
			continue
		}
		for ; i < end; i++ {
			rows = append(rows, all[i].row())
		}
	}
	return rows
}

func (g region) row() []string {
	stage, spent := "", ""
	if s := g.run.Stages[g.run.Stage]; g.run.State == pipeline.EnvironmentRunning || g.run.State == pipeline.EnvironmentRollingBack {
		stage, spent = g.stage+" "+string(s.State), took(s)
	}
	return []string{fmt.Sprint(g.wave), g.name, string(g.run.State), stage, spent, firstLine(cmp.Or(g.asks(), g.run.Reason))}
}
