package main

import (
	"context"
	"fmt"

	"github.com/fairwayhq/fairway/internal/api/client"
)

// checkTold looks that what workers told was taken in once: no sample of an
// environment is as old as the one before it, and no line of a stage repeats the
// line before it with the same numbers.
func (c *campaign) checkTold(ctx context.Context, f *flight) []string {
	what := f.String()
	var faults []string
	last := map[string]client.Point{}
	for after := int64(0); ; {
		page, err := persist(ctx, func() (client.Page[client.Point], error) { return c.api.Points(ctx, f.detail.ID, "", after, 500) })
		if err != nil {
			return append(faults, fmt.Sprintf("the samples of %s: %v", what, err))
		}
		for _, p := range page.Items {
			place := p.Environment + " " + p.Stage
			if before, ok := last[place]; ok && !p.At.After(before.At) {
				faults = append(faults, fmt.Sprintf("%s: a sample of %s in %s comes after one of %s", what, p.At, place, before.At))
			}
			last[place], after = p, p.ID
		}
		if page.Next == "" {
			break
		}
	}
	told := map[string]client.Event{}
	for _, e := range f.events {
		place := e.Environment + " " + e.Stage + " " + e.Kind
		if before, ok := told[place]; ok && e.Stage != "" && e.Text == before.Text && string(e.Data) == string(before.Data) {
			faults = append(faults, fmt.Sprintf("%s: line %d tells what line %d told: %s", what, e.Seq, before.Seq, e.Text))
		}
		told[place] = e
	}
	return faults
}
