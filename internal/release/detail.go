package release

import (
	"context"
	"encoding/json"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Detail is a release with everything that its page shows.
type Detail struct {
	Summary
	Plan *pipeline.Plan
	Run  pipeline.Run
	// Live is the present of the stages that workers carry out, by environment.
	Live map[string]stage.Progress
	Story
	// Actions are what the caller may do now.
	Actions []string
	// Asks says what a person has to decide; empty if nothing.
	Asks string
	// Queue are the releases before this one in its lane.
	Queue []string
	// Drift is what was last seen in the environments in which the release is at home.
	Drift map[string]DriftView
}

// Get returns the release as the caller sees it.
func (c *Control) Get(ctx context.Context, who auth.Identity, ref string) (Detail, error) {
	var d Detail
	err := c.view(ctx, func(tx Tx) error {
		s, err := loadSubject(tx, ref)
		if err != nil {
			return err
		}
		d, err = c.detail(tx, who, s)
		return err
	})
	return d, err
}

func (c *Control) detail(tx Tx, who auth.Identity, s subject) (Detail, error) {
	e := &s.run.Environments[s.run.Current()]
	d := Detail{Summary: summary(s), Plan: s.run.Plan, Run: s.run}
	var err error
	if d.Live, err = progress(tx, s); err != nil {
		return d, err
	}
	if d.Queue, err = queueBefore(tx, s, e); err != nil {
		return d, err
	}
	ahead, err := firstOf(tx, d.Queue)
	if err != nil {
		return d, err
	}
	homes, err := homesIn(tx, s.run.Plan)
	if err != nil {
		return d, err
	}
	if d.Drift, err = driftsOf(tx, s, homes); err != nil {
		return d, err
	}
	scene := scene{run: &s.run, environment: e, plan: s.run.Plan.Environment(e.Name), queue: d.Queue, ahead: ahead}
	if live, ok := d.Live[e.Name]; ok {
		scene.live = &live
	}
	d.Story = scene.story()
	d.Asks = scene.asks()
	d.Actions = actions(who, s, e, isHome(&s, homes, scene.plan.In()), c.now())
	return d, nil
}

func summary(s subject) Summary {
	return Summary{
		Release: s.Release, State: s.run.State, EndedAt: s.run.EndedAt,
		Environment: s.run.Environments[s.run.Current()].Name,
	}
}

// progress reads what the workers last said about the release's tasks.
func progress(tx Tx, s subject) (map[string]stage.Progress, error) {
	live := map[string]stage.Progress{}
	for _, e := range s.run.Environments {
		if e.State != pipeline.EnvironmentRunning && e.State != pipeline.EnvironmentRollingBack {
			continue
		}
		row, err := tx.LoadTask(s.ID, e.Name)
		if fault.CodeOf(err) == fault.NotFound || err == nil && len(row.Progress) == 0 {
			continue
		}
		if err != nil {
			return nil, err
		}
		var p stage.Progress
		if err := json.Unmarshal(row.Progress, &p); err != nil {
			return nil, fault.Errorf(fault.Internal, "read progress of %s in %s: %w", s.ID, e.Name, err)
		}
		live[e.Name] = p
	}
	return live, nil
}

// queueBefore returns who holds or waits in the release's lanes before it.
func queueBefore(tx Tx, s subject, e *pipeline.EnvironmentRun) ([]string, error) {
	if e.Lane != pipeline.LaneQueued {
		return nil, nil
	}
	return drive.Ahead(tx, drive.LanesOf(s.run.Plan, e.Name), s.ID)
}

// firstOf names the first release of a queue, for people.
func firstOf(tx Tx, queue []string) (string, error) {
	if len(queue) == 0 {
		return "", nil
	}
	record, err := tx.LoadRun(queue[0])
	if err != nil {
		return "", err
	}
	return record.Run.Plan.Title(), nil
}
