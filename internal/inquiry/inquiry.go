// Package inquiry is the way of a question that only a worker can answer, because only it
// reaches the platform: from a person to the server, from there to a worker of the
// environment, and the answer back.
//
//	desk := inquiry.NewDesk()                        // in the server
//	answer, err := desk.Ask(ctx, inquiry.Inquiry{    // who asks waits for the answer
//		About: inquiry.Drift, Target: target, Platform: "kubernetes", Revision: revision,
//	})
//
//	asked, err := desk.Take(ctx, inquiry.Wish{Worker: "w1"}) // a worker, here or over HTTP
//	err = desk.Answer(ctx, respondent.Respond(ctx, asked[0]))
//
// An inquiry changes nothing, so nothing of it is stored: whoever loses the server in
// between asks again, and an answer that nobody waits for any more is dropped. A worker
// that dies over an inquiry costs some seconds, then another one is asked.
//
// It does not know who may ask, and not what is desired: that is package release's.
package inquiry

import (
	"encoding/json"
	"time"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// About says what is asked.
type About string

// What can be asked.
const (
	// Preview asks what a release of the revision would change at home.
	Preview About = "preview"
	// Drift asks where what is at home is not as the revision says.
	Drift About = "drift"
	// Truth asks where what is at home is not as the repository says that holds the truth.
	Truth About = "truth"
)

// Inquiry is a question about a target. It is complete: whoever has it can answer it.
type Inquiry struct {
	// ID is the desk's, and as good as a key: only who took the inquiry knows it.
	ID       string          `json:"id"`
	About    About           `json:"about"`
	Target   platform.Target `json:"target"`
	Platform string          `json:"platform"`
	// Settings are the platform's, as they stand in the plan.
	Settings json.RawMessage   `json:"settings,omitempty"`
	Revision platform.Revision `json:"revision"`
	// Git is the repository that holds the truth, where there is one.
	Git *pipeline.Git `json:"git,omitempty"`
}

// Wish is a worker's wish for inquiries.
type Wish struct {
	Worker string `json:"worker"`
	// Environments and Regions restrict the inquiries; empty means all.
	Environments []string `json:"environments,omitempty"`
	Regions      []string `json:"regions,omitempty"`
	// Wait is how long to wait for an inquiry, at most 30 s.
	Wait time.Duration `json:"wait"`
}

// Answer is what a worker has found.
type Answer struct {
	Inquiry     string `json:"inquiry"`
	Environment string `json:"environment"`
	Region      string `json:"region,omitempty"`
	Worker      string `json:"worker"`
	// Differences are none where all is as asked for.
	Differences []drift.Difference `json:"differences,omitempty"`
	// Notes say, for people, what was not compared and why.
	Notes []string `json:"notes,omitempty"`
	// Trouble says why there is no answer.
	Trouble *Trouble `json:"trouble,omitempty"`
}

// Trouble is a fault on its way from a worker.
type Trouble struct {
	Code    fault.Code `json:"code"`
	Message string     `json:"message"`
	Hint    string     `json:"hint,omitempty"`
}

// Err is the trouble as a fault, or nil.
func (t *Trouble) Err() error {
	if t == nil {
		return nil
	}
	return &fault.Error{Code: t.Code, Message: t.Message, Hint: t.Hint}
}
