package release

import (
	"context"
	"slices"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// ServiceView is what runs and moves under one name.
type ServiceView struct {
	Name         string
	Owner        string
	Environments []EnvironmentView
}

// EnvironmentView is one environment of a service.
type EnvironmentView struct {
	Name        string
	Home        string
	HomeVersion string
	Moving      string
	Queue       []string
	Frozen      string
	// Drift is what was last seen of what has drifted; nil where nobody has looked.
	Drift *DriftView
}

// Services returns all services that ever had a release.
func (c *Control) Services(ctx context.Context) ([]ServiceView, error) {
	var views []ServiceView
	err := c.view(ctx, func(tx Tx) error {
		names, err := tx.Services()
		if err != nil {
			return err
		}
		views = make([]ServiceView, 0, len(names))
		for _, name := range names {
			v, err := c.service(tx, name)
			if err != nil {
				return err
			}
			views = append(views, v)
		}
		return nil
	})
	return views, err
}

// Service returns one service.
func (c *Control) Service(ctx context.Context, name string) (ServiceView, error) {
	var v ServiceView
	err := c.view(ctx, func(tx Tx) error {
		var err error
		v, err = c.service(tx, name)
		return err
	})
	return v, err
}

// service shows the environments of the newest ordinary release's plan; one that
// brought an older release back, or was a drill, knows only its own.
func (c *Control) service(tx Tx, name string) (ServiceView, error) {
	newest, err := newestOrdinary(tx, name)
	if err != nil {
		return ServiceView{}, err
	}
	record, err := tx.LoadRun(newest)
	if err != nil {
		return ServiceView{}, err
	}
	homes, err := tx.Homes(name)
	if err != nil {
		return ServiceView{}, err
	}
	plan := record.Run.Plan
	v := ServiceView{Name: name}
	if plan.Service == name {
		v.Owner = plan.Owner
	}
	for i := range plan.Environments {
		in := plan.Environments[i].In()
		if i > 0 && plan.Environments[i-1].In() == in || !slices.Contains(plan.ServicesIn(in), name) {
			continue // regions are one environment here
		}
		e, err := c.environmentView(tx, plan, place{name, in}, homes)
		if err != nil {
			return v, err
		}
		v.Environments = append(v.Environments, e)
	}
	return v, nil
}

// newestOrdinary is the newest release that the service leads, whose plan has all of its
// environments; one in which another leads, where there is none; any, where nothing else is left.
func newestOrdinary(tx Tx, service string) (string, error) {
	newest, err := tx.NewestOrdinary(service)
	if err != nil || newest != "" {
		return newest, err
	}
	list, err := tx.ListReleases(Filter{Service: service, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return "", fault.Errorf(fault.NotFound, "there is no service %q", service).WithHint("a service appears with its first release")
	}
	return list[0].ID, nil
}

// place is a service in an environment.
type place struct{ service, environment string }

func (c *Control) environmentView(tx Tx, plan *pipeline.Plan, at place, homes map[string]string) (EnvironmentView, error) {
	v := EnvironmentView{Name: at.environment, Home: homes[at.environment]}
	if v.Home != "" {
		home, err := tx.LoadRelease(v.Home)
		if err != nil {
			return v, err
		}
		v.HomeVersion, _ = home.versionOf(at.service)
	}
	entries, err := tx.Lane(drive.LaneOf(plan, at.service, at.environment))
	if err != nil {
		return v, err
	}
	v.Moving, v.Queue = inLane(entries)
	if v.Drift, err = driftWithin(tx, plan, at, homes); err != nil {
		return v, err
	}
	v.Frozen, err = c.drive.Frozen(tx, at.service, at.environment)
	return v, err
}

// driftWithin is what has drifted in the environment: in its only place, or in the first of
// its regions where something has.
func driftWithin(tx Tx, plan *pipeline.Plan, at place, homes map[string]string) (*DriftView, error) {
	var seen *DriftView
	for _, i := range plan.Entries(at.environment) {
		e := &plan.Environments[i]
		if plan.ServiceOf(e) != at.service {
			continue
		}
		d, err := driftOf(tx, drive.TargetOf(plan, e.Name).String(), homes[e.Place()])
		if err != nil {
			return nil, err
		}
		if d != nil && (seen == nil || len(seen.Fields) == 0) {
			seen = d
		}
	}
	return seen, nil
}

func inLane(entries []drive.LaneEntry) (moving string, queue []string) {
	for _, e := range entries {
		if e.Held {
			moving = e.Release
		} else {
			queue = append(queue, e.Release)
		}
	}
	return moving, queue
}
