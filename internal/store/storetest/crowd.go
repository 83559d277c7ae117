package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
)

// Ten thousand releases go on: one of each service is carried out, nine wait for a person.
const (
	CrowdServices = 1000
	CrowdReleases = 10
)

const crowdPlan = `service: shop%d
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [%s{deploy: {}, timeLimit: 10m}]
`

// Crowd stores the releases and begins them now.
func Crowd(b testing.TB, st release.Store, d *drive.Drive, now time.Time) {
	b.Helper()
	for service := range CrowdServices {
		err := st.Update(context.Background(), func(tx release.Tx) error {
			if err := tx.Turn(fmt.Sprintf("shop%d", service)); err != nil {
				return err
			}
			for n := range CrowdReleases {
				if err := oneOfMany(tx, d, service, n, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func oneOfMany(tx release.Tx, d *drive.Drive, service, n int, now time.Time) error {
	first := "{approval: {roles: [sre]}}, "
	if n == 0 {
		first = ""
	}
	text := fmt.Sprintf(crowdPlan, service, first)
	def, faults := pipeline.Parse("fairway.yaml", []byte(text))
	if len(faults) > 0 {
		return fault.Errorf(fault.Internal, "the plan of the crowd is wrong: %s", faults[0].Message)
	}
	plan, err := pipeline.Compile(def, pipeline.Request{
		Version: fmt.Sprint("v", n), Artifact: "./shop", Digest: fmt.Sprintf("sha256:%064d", service*CrowdReleases+n),
	})
	if err != nil {
		return err
	}
	r := release.Release{
		ID: fmt.Sprintf("rel%06d-%d", service, n), Service: plan.Service, Version: plan.Component.Version, Digest: plan.Component.Digest,
		Author: "anna", PlanHash: plan.Hash(), CreatedAt: now, Definition: text,
	}
	if err := tx.AddRelease(r, plan, pipeline.NewRun(plan, "anna", now)); err != nil {
		return err
	}
	_, err = d.Start(tx, r.ID, "anna")
	return err
}
