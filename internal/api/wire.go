package api

import (
	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/release"
)

// From the rooms inside to the wire.

func wireRelease(s release.Summary) client.Release {
	var with []client.ReleaseComponent
	for _, c := range s.With {
		with = append(with, client.ReleaseComponent{Service: c.Service, Version: c.Version, Artifact: c.Artifact, Digest: c.Digest})
	}
	return client.Release{
		With: with,
		ID:   s.ID, Service: s.Service, Version: s.Version, Artifact: s.Artifact, Digest: s.Digest,
		Author: s.Author, Note: s.Note, PlanHash: s.PlanHash, RollbackTo: s.RollbackTo, DrillOf: s.DrillOf,
		State: s.State, Environment: s.Environment, CreatedAt: s.CreatedAt, EndedAt: s.EndedAt,
	}
}

func wireDetail(d release.Detail) client.ReleaseDetail {
	drifts := map[string]client.Drift{}
	for environment, one := range d.Drift {
		drifts[environment] = *wireDrift(&one)
	}
	return client.ReleaseDetail{
		Release: wireRelease(d.Summary), Plan: d.Plan, Run: d.Run, Live: d.Live,
		Headline: d.Headline, Next: d.Next, NextAt: d.NextAt,
		Actions: d.Actions, Asks: d.Asks, Queue: d.Queue, Drift: drifts,
	}
}

func wireService(v release.ServiceView) client.Service {
	s := client.Service{Name: v.Name, Owner: v.Owner, Environments: []client.ServiceEnvironment{}}
	for _, e := range v.Environments {
		s.Environments = append(s.Environments, client.ServiceEnvironment{
			Name: e.Name, Home: e.Home, HomeVersion: e.HomeVersion, Moving: e.Moving, Queue: e.Queue, Frozen: e.Frozen,
			Drift: wireDrift(e.Drift),
		})
	}
	return s
}

func wireDrift(d *release.DriftView) *client.Drift {
	if d == nil {
		return nil
	}
	wire := &client.Drift{Fields: append([]string{}, d.Fields...), Since: d.Since, At: d.At}
	if g := d.Git; g != nil {
		wire.Git = &client.GitDrift{Fields: append([]string{}, g.Fields...), Since: g.Since, Unknown: g.Unknown}
	}
	return wire
}

func wirePoint(p release.ChartPoint) client.Point {
	return client.Point{
		ID: p.ID, At: p.Sample.At, Environment: p.Environment, Stage: p.Stage,
		Weight: p.Sample.Weight, Evidence: p.Evidence, Missing: p.Sample.Missing,
		Stable: wireArm(p.Sample.Stable.Requests, p.Sample.Stable.Errors, p.StableChart),
		Canary: wireArm(p.Sample.Canary.Requests, p.Sample.Canary.Errors, p.CanaryChart),
	}
}

func wireArm(requests, errors int64, c release.ArmChart) client.ArmPoint {
	return client.ArmPoint{
		Requests: requests, Errors: errors,
		Error: wireInterval(c.Error), P50: wireInterval(c.P50), P99: wireInterval(c.P99),
	}
}

func wireInterval(i release.Interval) client.Interval {
	return client.Interval{Known: i.Known, Value: i.Value, Low: i.Low, High: i.High, Open: i.Open}
}

// wired turns a list; an empty one stays a list.
func wired[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}
