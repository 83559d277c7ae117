package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Request asks for a release. Either Definition is the text of a fairway.yaml, or
// Service names one whose newest release's definition is used again.
type Request struct {
	Service    string
	Definition string
	Version    string
	Artifact   string
	Digest     string
	// Files are the contents of the config files that the definition names, by their 'from' path.
	Files map[string][]byte
	// Manifests are the rendered objects, by environment.
	Manifests map[string][]json.RawMessage
	// Sealed are the values of the Secrets among them, by environment, for the worker alone
	// to open.
	Sealed map[string]string
	// With are the other services of the release, in any order.
	With []ComponentRequest
	Note string
	// Key makes a repeated request return the release that the first one made; empty for none.
	Key string
}

// DefinitionName is what the definition's file is called in faults.
const DefinitionName = "fairway.yaml"

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Create makes a release and starts it, and returns its ID. The same request
// posted again by the same person under the same key returns the first release;
// another request under the key is a conflict.
func (c *Control) Create(ctx context.Context, who auth.Identity, ask Request) (string, error) {
	if err := need(who, "ship releases", mayShip...); err != nil {
		return "", err
	}
	if err := ask.validate(); err != nil {
		return "", err
	}
	// Compiling may take a while, so it is not done inside the write transaction.
	made, err := c.prepare(ctx, who, ask)
	if err != nil {
		return "", err
	}
	r := made.release(ask, who.User, c.now())
	id, begun := r.ID, nothing
	err = c.store.Update(ctx, func(tx Tx) error {
		begun = nothing
		first, err := repeated(tx, who.User, ask.Key)
		if err != nil {
			return err
		}
		if first != nil {
			id = first.ID
			record, err := tx.LoadRun(id)
			if err != nil {
				return err
			}
			return sameAs(*first, r, record.Run.Plan.Same(made.plan), ask.Key)
		}
		id = r.ID
		if begun, err = c.begin(tx, r, made.plan); err != nil || ask.Key == "" {
			return err
		}
		return tx.Remember(who.User, ask.Key, r.ID)
	})
	if err != nil {
		return "", err
	}
	begun()
	return id, nil
}

// nothing is what is to be told where no release was begun.
func nothing() {}

// prepare compiles the definition that came with the request, else the one of the
// service's newest release, or of the release that the key already made.
func (c *Control) prepare(ctx context.Context, who auth.Identity, ask Request) (*made, error) {
	text := ask.Definition
	if text == "" {
		err := c.view(ctx, func(tx Tx) error {
			first, err := repeated(tx, who.User, ask.Key)
			if err != nil {
				return err
			}
			if first == nil {
				newest, err := find(tx, ask.Service)
				text = newest.definitionOf(ask.Service)
				return err
			}
			text = first.Definition
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var err error
	if ask.With, err = c.defined(ctx, who, ask); err != nil {
		return nil, err
	}
	m, err := ask.compile(text)
	if err == nil && ask.Service != "" && ask.Service != m.plan.Service {
		err = fault.Errorf(fault.Invalid, "the definition is for service %s, the request for %s", m.plan.Service, ask.Service).
			WithHint("leave the request's service out, or send that service's definition")
	}
	return m, err
}

// begin stores the release with its run and gives the run its first event. What it
// returns is called after the commit.
func (c *Control) begin(tx Tx, r Release, plan *pipeline.Plan) (begun func(), err error) {
	run := pipeline.NewRun(plan, r.Author, r.CreatedAt)
	if err := tx.AddRelease(r, plan, run); err != nil {
		return nil, err
	}
	return c.drive.Start(tx, r.ID, r.Author)
}

func (a Request) validate() error {
	switch {
	case a.Artifact == "":
		return fault.Errorf(fault.Invalid, "the release has no artifact").
			WithHint("name the file or URL of the build output with --artifact")
	case !digestForm.MatchString(a.Digest):
		return fault.Errorf(fault.Invalid, "%q is not the digest of an artifact", a.Digest).
			WithHint("a digest is sha256: and 64 hexadecimal digits in lower case")
	case a.Definition == "" && a.Service == "":
		return fault.Errorf(fault.Invalid, "the release has neither a definition nor a service").
			WithHint("send the text of the fairway.yaml, or name a service that was released before")
	}
	for _, other := range a.With {
		if err := other.validate(); err != nil {
			return err
		}
	}
	return nil
}

// made is a plan with the text that it was made of, and the other services with theirs.
type made struct {
	plan       *pipeline.Plan
	definition string
	with       []Component
}

func (a Request) compile(text string) (*made, error) {
	def, faults := pipeline.Parse(DefinitionName, []byte(text))
	if len(faults) > 0 {
		return nil, faulty(faults)
	}
	if err := hidesValues(a.Manifests, a.Sealed); err != nil {
		return nil, err
	}
	with, err := a.others()
	if err != nil {
		return nil, err
	}
	plan, err := pipeline.Compile(def, pipeline.Request{
		Version: a.version(), Artifact: a.Artifact, Digest: a.Digest, Files: a.Files, Manifests: a.Manifests, Sealed: a.Sealed, With: with,
	})
	if errors.As(err, &faults) {
		return nil, faulty(faults)
	}
	if err != nil {
		return nil, err
	}
	return &made{plan: plan, definition: text, with: a.components(plan)}, nil
}

// hidesValues refuses values of Secrets that everybody could read, and digests of some that
// did not come.
func hidesValues(manifests map[string][]json.RawMessage, sealed map[string]string) error {
	for _, environment := range slices.Sorted(maps.Keys(manifests)) {
		has, err := manifest.HasRedacted(manifests[environment])
		if err != nil {
			return fault.Errorf(fault.Invalid, "the manifests of %s: %w", environment, err).WithHint("%s", fault.HintOf(err))
		}
		if has && sealed[environment] == "" {
			return fault.Errorf(fault.Invalid, "the manifests of %s have digests of Secrets, whose values did not come", environment).
				WithHint("send them under 'sealed', as `fairway ship` does")
		}
	}
	return nil
}

// faulty says the first fault in a line; the others are in the chain.
func faulty(faults pipeline.Faults) error {
	first := faults[0]
	text := fmt.Sprintf("%s:%d:%d: %s", first.File, first.Line, first.Column, first.Message)
	if first.Line == 0 {
		text = first.File + ": " + first.Message
	}
	switch n := len(faults) - 1; n {
	case 0:
	case 1:
		text += " (and 1 fault more)"
	default:
		text += fmt.Sprintf(" (and %d faults more)", n)
	}
	hint := first.Hint
	if hint == "" {
		hint = "`fairway check` shows all faults with their places"
	}
	return &fault.Error{Code: fault.Invalid, Message: text, Hint: hint, Err: faults}
}

// version is what people call the release; without a name, the beginning of its digest.
func (a Request) version() string { return versionOr(a.Version, a.Digest) }

func versionOr(version, digest string) string {
	if version != "" {
		return version
	}
	return digest[len("sha256:"):][:12]
}

func (m *made) release(a Request, author string, now time.Time) Release {
	return Release{
		ID: newID(now), Service: m.plan.Service, Version: m.plan.Component.Version,
		Artifact: a.Artifact, Digest: a.Digest, Author: author, Note: a.Note,
		PlanHash: m.plan.Hash(), CreatedAt: now, Definition: m.definition, With: m.with,
	}
}

// repeated returns the release that the person made under the key before, or nil.
func repeated(tx Tx, actor, key string) (*Release, error) {
	if key == "" {
		return nil, nil
	}
	id, err := tx.Repeated(actor, key)
	if id == "" || err != nil {
		return nil, err
	}
	first, err := tx.LoadRelease(id)
	return &first, err
}

// sameAs refuses a key that was used for another request. The plan covers the service,
// the component and its files.
func sameAs(first, again Release, samePlan bool, key string) error {
	if samePlan && again.Note == first.Note && again.Definition == first.Definition && slices.Equal(again.With, first.With) {
		return nil
	}
	return fault.Errorf(fault.Conflict, "the idempotency key %q was already used for another request, which made %s", key, first.label()).
		WithHint("use a new key for a new release")
}
