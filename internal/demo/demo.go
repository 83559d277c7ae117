// Package demo tells Fairway's main story on one machine, with real processes and
// real traffic: a service is released, a good version takes its place, a bad one is
// taken back by itself, and one that cannot start never gets traffic.
//
// It is a client like any other: it ships through the HTTP API and looks at what
// the users of the service see.
package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Config is what the story needs.
type Config struct {
	API *client.Client
	// UI is where people look.
	UI string
	// Definition is the fairway.yaml, and Service its service's address.
	Definition string
	Service    string
	// Artifacts are the versions by name.
	Artifacts map[string]Artifact
	// Rate is the users' traffic in requests per second.
	Rate float64
	// Out takes the progress.
	Out io.Writer
}

// Artifact is one version of the service.
type Artifact struct{ Path, Digest string }

// Summary is what came of the demo.
type Summary struct {
	Promoted   []string `json:"promoted"`
	RolledBack []string `json:"rolledBack"`
	Failed     []string `json:"failed"`
	// Requests is all that users asked; FailedByDeploys had no answer of any version
	// of the service; BadServed are the bad answers of the bad version.
	Requests        int64 `json:"requests"`
	FailedByDeploys int64 `json:"failedByDeploys"`
	BadServed       int64 `json:"badServed"`
	// SecondsToRollback is from the ship of the bad version to the moment when all
	// traffic was back; SecondsToPromote from the ship of the good one until it was at home.
	SecondsToRollback float64 `json:"secondsToRollback"`
	SecondsToPromote  float64 `json:"secondsToPromote"`
	// SecondsToRoute is from the verdict to the acknowledged route.
	SecondsToRoute float64 `json:"secondsToRoute"`
	LedgerVerified bool    `json:"ledgerVerified"`
}

// The versions of the story.
const (
	First = "v1"
	Good  = "v2"
	Bad   = "v3"
	Dead  = "v4"
)

// Run tells the story and returns its summary.
func Run(ctx context.Context, c Config) (*Summary, error) {
	s := &story{Config: c, summary: &Summary{Promoted: []string{}, RolledBack: []string{}, Failed: []string{}}}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	users, err := s.users()
	if err != nil {
		return nil, err
	}
	defer users.stop()
	for _, chapter := range []func(context.Context) error{s.good, s.bad, s.dead, s.verify} {
		if err := chapter(ctx); err != nil {
			return nil, err
		}
	}
	users.stop()
	users.count(s.summary)
	return s.summary, nil
}

type story struct {
	Config
	summary *Summary
	shipped []string
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }

// begin releases the first version, which has nothing to be compared with.
func (s *story) begin(ctx context.Context) error {
	s.say("\n1. The shop opens: %s is released, and users come (%g requests a second).", First, s.Rate)
	r, err := s.ship(ctx, First)
	if err != nil {
		return err
	}
	if r.State != pipeline.RunSucceeded {
		return fault.Errorf(fault.Internal, "the first version should be released, but it is %s: %s", r.State, r.Headline)
	}
	return nil
}

func (s *story) good(ctx context.Context) error {
	s.say("\n2. %s is good. Fairway gives it a little traffic, compares, and gives it more.", Good)
	r, err := s.ship(ctx, Good)
	if err != nil {
		return err
	}
	s.sort(Good, r)
	s.summary.SecondsToPromote = r.EndedAt.Sub(r.CreatedAt).Seconds()
	return nil
}

func (s *story) bad(ctx context.Context) error {
	s.say("\n3. %s is bad: one answer in twenty fails, and it is slower. Nobody tells Fairway.", Bad)
	r, err := s.ship(ctx, Bad)
	if err != nil {
		return err
	}
	s.sort(Bad, r)
	return s.timeRollback(ctx, r)
}

// timeRollback reads from the ledger when the traffic went back.
func (s *story) timeRollback(ctx context.Context, r client.ReleaseDetail) error {
	page, err := s.API.Events(ctx, r.ID, 0, mostEvents)
	if err != nil {
		return err
	}
	for _, e := range page.Items {
		if e.Kind != "canary.back" && e.Kind != "watch.back" {
			continue
		}
		s.summary.SecondsToRollback = e.At.Sub(r.CreatedAt).Seconds()
		var data struct{ Seconds float64 }
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return fault.Errorf(fault.Internal, "read the event %s: %w", e.Kind, err)
		}
		s.summary.SecondsToRoute = data.Seconds
	}
	return nil
}

func (s *story) dead(ctx context.Context) error {
	s.say("\n4. %s cannot start. It never gets traffic.", Dead)
	r, err := s.ship(ctx, Dead)
	if err != nil {
		return err
	}
	s.sort(Dead, r)
	return nil
}

// sort notes how a release ended.
func (s *story) sort(version string, r client.ReleaseDetail) {
	switch r.State {
	case pipeline.RunSucceeded:
		s.summary.Promoted = append(s.summary.Promoted, version)
	case pipeline.RunRolledBack:
		s.summary.RolledBack = append(s.summary.RolledBack, version)
	case pipeline.RunFailed:
		s.summary.Failed = append(s.summary.Failed, version)
	}
}

// verify checks the hash chain of every release of the story.
func (s *story) verify(ctx context.Context) error {
	s.summary.LedgerVerified = true
	for _, id := range s.shipped {
		v, err := s.API.Verify(ctx, id)
		if err != nil {
			return err
		}
		s.summary.LedgerVerified = s.summary.LedgerVerified && v.OK
	}
	return nil
}

// ship creates a release, tells what happens, and returns how it ended.
func (s *story) ship(ctx context.Context, version string) (client.ReleaseDetail, error) {
	a, ok := s.Artifacts[version]
	if !ok {
		return client.ReleaseDetail{}, fault.Errorf(fault.NotFound, "there is no artifact of %s", version)
	}
	made, err := s.API.Create(ctx, client.NewRelease{
		Definition: s.Definition, Version: version, Artifact: a.Path, Digest: a.Digest,
	}, ulid.Make().String())
	if err != nil {
		return made, err
	}
	s.shipped = append(s.shipped, made.ID)
	s.say("   look: %s/releases/%s", s.UI, made.ID)
	end := made
	told := int64(0) // the last event that was told
	tell := func(e client.Event) error {
		told = e.Seq
		s.say("   %5.1f s  %s", max(0, e.At.Sub(made.CreatedAt).Seconds()), e.Text)
		return nil
	}
	err = s.API.Live(ctx, made.ID, "", client.Listener{
		Release: func(r client.ReleaseDetail) error {
			end = r
			if r.State.Final() {
				return client.ErrStop
			}
			return nil
		},
		Event: tell,
	})
	if ctx.Err() != nil {
		return end, fault.Errorf(fault.Unavailable, "the demo was stopped")
	}
	if err != nil {
		return end, err
	}
	// The stream tells the end before the events that led to it.
	rest, err := s.API.Events(ctx, made.ID, told, mostEvents)
	if err != nil {
		return end, err
	}
	for _, e := range rest.Items {
		_ = tell(e)
	}
	return end, nil
}

// mostEvents is more than one release of the story has.
const mostEvents = 500

// Check is an error where the story did not end as it is told.
func (s *Summary) Check() error {
	as := func(got []string, want string) bool { return len(got) == 1 && got[0] == want }
	switch {
	case !as(s.Promoted, Good) || !as(s.RolledBack, Bad) || !as(s.Failed, Dead):
		return fault.Errorf(fault.Internal, "the demo ended otherwise than it should: promoted %v, rolled back %v, failed %v", s.Promoted, s.RolledBack, s.Failed)
	case !s.LedgerVerified:
		return fault.Errorf(fault.Internal, "the ledger of the demo is broken")
	}
	return nil
}

// Print tells people what came of it.
func (s *Summary) Print(w io.Writer) {
	fmt.Fprintf(w, "\nWhat happened\n")
	row := func(what, format string, args ...any) {
		fmt.Fprintf(w, "  %-34s "+format+"\n", append([]any{what}, args...)...)
	}
	row("promoted", "%v in %s", s.Promoted, seconds(s.SecondsToPromote))
	row("rolled back", "%v, the traffic was back after %s", s.RolledBack, seconds(s.SecondsToRollback))
	row("never got traffic", "%v", s.Failed)
	row("requests of users", "%d", s.Requests)
	row("… badly answered by the bad version", "%d", s.BadServed)
	row("… failed by deploying", "%d", s.FailedByDeploys)
	verified := "in order"
	if !s.LedgerVerified {
		verified = "BROKEN"
	}
	row("ledger", "%s", verified)
}

func seconds(s float64) string {
	return (time.Duration(s*1000) * time.Millisecond).Round(100 * time.Millisecond).String()
}
