package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// preview is what a release would change in an environment, as its worker tells.
type preview struct {
	Environment string `json:"environment"`
	*client.Comparison
	// Unknown says why nobody told.
	Unknown string `json:"unknown,omitempty"`
}

// previews asks the workers of all environments in which objects are written. That nobody
// answers is no fault of the plan.
func (c *command) previews(ctx context.Context, plan *pipeline.Plan, release client.Preview) []preview {
	var all []preview
	unreached := ""
	asked := map[string]bool{}
	for _, e := range plan.Environments {
		if plan.ServiceOf(&e) != plan.Service {
			continue // the server is asked about the leading service
		}
		if e.Platform != pipeline.PlatformKubernetes || asked[e.In()] || e.Leg != nil && e.Wave() == 0 {
			continue // the first region stands for all
		}
		asked[e.In()] = true
		p := preview{Environment: e.Place(), Unknown: unreached}
		if unreached == "" {
			found, err := c.preview(ctx, e.Place(), release)
			if p.Comparison = found; err != nil {
				p.Unknown = err.Error()
			}
			if serverGone(err) {
				unreached = p.Unknown
			}
		}
		all = append(all, p)
	}
	return all
}

func (c *command) preview(ctx context.Context, environment string, release client.Preview) (*client.Comparison, error) {
	api, err := c.client()
	if err != nil {
		return nil, err
	}
	found, err := api.Inquire(ctx, client.NewInquiry{About: inquiry.Preview, Environment: environment, Release: &release})
	if err != nil {
		return nil, err
	}
	return &found, nil
}

// serverGone tells whether asking the server again would end in the same way for every
// environment: it does not answer, or not to this caller.
func serverGone(err error) bool {
	var answered *client.StatusError
	if errors.As(err, &answered) {
		return answered.Status == http.StatusUnauthorized || answered.Status == http.StatusForbidden
	}
	return fault.CodeOf(err) == fault.Unavailable
}

func printPreviews(w io.Writer, all []preview) {
	for _, p := range all {
		switch {
		case p.Unknown != "":
			fmt.Fprintf(w, "What it would change in %s is not known: %s\n", p.Environment, p.Unknown)
		case len(p.Differences) == 0:
			fmt.Fprintf(w, "It would change nothing in %s.\n", p.Environment)
		default:
			fmt.Fprintf(w, "What it would change in %s\n", p.Environment)
			fmt.Fprint(w, drift.Text(changes(p.Differences), "the cluster", "this plan"))
		}
		if p.Comparison != nil {
			printNotes(w, p.Notes)
		}
		fmt.Fprintln(w)
	}
}

func printNotes(w io.Writer, notes []string) {
	for _, n := range notes {
		fmt.Fprintf(w, "  note: %s\n", n)
	}
}

// changes turns differences round: what is there now stands before what would be then.
func changes(differences []drift.Difference) []drift.Difference {
	turned := make([]drift.Difference, len(differences))
	for i, d := range differences {
		d.Desired, d.Live = d.Live, d.Desired
		switch d.What {
		case drift.Missing:
			d.What = drift.Extra
		case drift.Extra:
			d.What = drift.Missing
		}
		turned[i] = d
	}
	return turned
}
