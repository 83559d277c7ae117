package cli

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/replay"
)

// comparison is what a release's record keeps of one judged stage.
type comparison struct {
	environment, stage, ended, why string
	record                         replay.Record
}

// same tells whether the other is an earlier begin of the same stage.
func (k *comparison) same(other *comparison) bool {
	return k.environment == other.environment && k.stage == other.stage
}

// comparisonsOf puts the ledger's openings and the samples together.
func comparisonsOf(ctx context.Context, api *client.Client, r client.ReleaseDetail, environment string) ([]*comparison, error) {
	all, err := openings(ctx, api, r, environment)
	if err != nil {
		return nil, err
	}
	for after := int64(0); ; {
		page, err := api.Samples(ctx, r.ID, environment, after, pageSize)
		if err != nil {
			return nil, err
		}
		for _, s := range page.Items {
			after = s.ID
			for _, k := range all {
				if k.environment == s.Environment && k.stage == s.Stage {
					k.record.Looks = append(k.record.Looks, lookOf(s))
				}
			}
		}
		if page.Next == "" {
			break
		}
	}
	kept := all[:0]
	for _, k := range all {
		if len(k.record.Looks) > 0 {
			kept = append(kept, k)
		}
	}
	if len(kept) == 0 {
		return nil, fault.Errorf(fault.NotFound, "nothing was judged in %s %s", r.Service, r.Version).
			WithHint("only canaries and watches are, once they have had a sample; `fairway events %s` tells what happened", r.ID)
	}
	return kept, nil
}

func lookOf(s client.JudgedSample) replay.Look {
	l := replay.Look{Sample: s.Point.Sample, Now: s.Point.Looked, Evidence: s.Point.Evidence}
	if l.Now.IsZero() { // recorded by a worker that did not say
		l.Now = l.Sample.At
	}
	return l
}

// openings reads from the ledger how each comparison began.
func openings(ctx context.Context, api *client.Client, r client.ReleaseDetail, environment string) ([]*comparison, error) {
	var all []*comparison
	for after := int64(0); ; {
		page, err := api.Events(ctx, r.ID, after, pageSize)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Items {
			after = e.Seq
			if !strings.HasSuffix(e.Kind, ".opening") || environment != "" && e.Environment != environment {
				continue
			}
			var data struct {
				Opening judge.Opening `json:"opening"`
			}
			err := json.Unmarshal(e.Data, &data)
			if err == nil {
				err = data.Opening.Settings.Validate()
			}
			if err != nil {
				return nil, fault.Errorf(fault.Internal, "line %d of the ledger cannot be read: %w", e.Seq, err)
			}
			k := &comparison{environment: e.Environment, stage: e.Stage, record: replay.Record{Opening: data.Opening}}
			k.ended, k.why = ending(r, e.Environment, e.Stage)
			all = append(slices.DeleteFunc(all, k.same), k)
		}
		if page.Next == "" {
			return all, nil
		}
	}
}

// ending is how the stage stands in the run.
func ending(r client.ReleaseDetail, environment, stage string) (state, why string) {
	for i, e := range r.Plan.Environments {
		for j, s := range e.Stages {
			if e.Name == environment && s.Name == stage && i < len(r.Run.Environments) && j < len(r.Run.Environments[i].Stages) {
				now := r.Run.Environments[i].Stages[j]
				return string(now.State), now.Reason
			}
		}
	}
	return "", ""
}
