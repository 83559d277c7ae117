package release

import (
	"context"
	"strings"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Inquirer asks a worker of an environment and waits for its answer.
type Inquirer interface {
	Ask(ctx context.Context, q inquiry.Inquiry) (inquiry.Answer, error)
}

// Comparison is what a worker has found about an environment.
type Comparison struct {
	Service, Environment string
	// Release is the one at home, which what runs was compared with; nil for a preview.
	Release *Release
	// Truth says that the release's plan names a repository that holds the truth.
	Truth bool
	inquiry.Answer
}

// noDigest stands for the digest of an artifact that is not named.
const noDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// Preview asks what the release would change in one of its environments. Without an
// artifact it would come with the one that is there. Who asks may ship releases: the
// worker looks wherever the definition says.
func (c *Control) Preview(ctx context.Context, who auth.Identity, environment string, ask Request) (Comparison, error) {
	if err := need(who, "ask what a release would change", mayShip...); err != nil {
		return Comparison{}, err
	}
	named := ask.Artifact != ""
	if !named {
		ask.Artifact, ask.Digest = "(not named)", noDigest
	}
	if err := ask.validate(); err != nil {
		return Comparison{}, err
	}
	made, err := c.prepare(ctx, who, ask)
	if err != nil {
		return Comparison{}, err
	}
	env, err := environmentOf(made.plan, made.plan.Service, environment)
	if err != nil {
		return Comparison{}, err
	}
	q := inquiryOf(inquiry.Preview, made.plan, env)
	if !named {
		q.Revision.Artifact = platform.Artifact{}
	}
	answer, err := c.inquirer.Ask(ctx, q)
	return Comparison{Service: made.plan.Service, Environment: environment, Answer: answer}, err
}

// Drift asks where what runs in the environment is not as the release at home says or, about
// inquiry.Truth, as the repository says that its plan names.
// Everybody may ask who may see the release's plan.
func (c *Control) Drift(ctx context.Context, about inquiry.About, service, environment string) (Comparison, error) {
	var home subject
	err := c.view(ctx, func(tx Tx) (err error) {
		home, err = homeOf(tx, service, environment)
		return err
	})
	if err != nil {
		return Comparison{}, err
	}
	env, err := environmentOf(home.run.Plan, service, environment)
	if err != nil {
		return Comparison{}, err
	}
	if about == inquiry.Truth && env.Git == nil {
		return Comparison{}, fault.Errorf(fault.Conflict, "no repository says what should run of %s in %s", service, environment).
			WithHint("`git:` in fairway.yaml names it, from the next release on")
	}
	answer, err := c.inquirer.Ask(ctx, inquiryOf(about, home.run.Plan, env))
	return Comparison{Service: service, Environment: environment, Release: &home.Release, Truth: env.Git != nil, Answer: answer}, err
}

// homeOf is the release whose revision is at home in the environment.
func homeOf(tx Tx, service, environment string) (subject, error) {
	if _, err := find(tx, service); err != nil {
		return subject{}, err
	}
	homes, err := tx.Homes(service)
	if err != nil {
		return subject{}, err
	}
	if homes[environment] == "" {
		return subject{}, fault.Errorf(fault.Conflict, "no release of %s is at home in %s, so nothing says what should run there", service, environment).
			WithHint("`fairway status --service %s` shows what is where", service)
	}
	return loadSubject(tx, homes[environment])
}

func environmentOf(plan *pipeline.Plan, service, name string) (*pipeline.Environment, error) {
	for _, e := range plan.Places(name) {
		if plan.ServiceOf(e) == service {
			return e, nil // of regions the first tells
		}
	}
	var names []string
	for _, e := range plan.Environments {
		names = append(names, e.Name)
	}
	return nil, fault.Errorf(fault.NotFound, "%s has no environment %q", service, name).
		WithHint("it has %s", strings.Join(names, ", "))
}

func inquiryOf(about inquiry.About, plan *pipeline.Plan, env *pipeline.Environment) inquiry.Inquiry {
	return inquiry.Inquiry{
		About: about, Platform: env.Platform, Settings: env.Settings, Revision: drive.RevisionOf(plan, env),
		Git:    env.Git,
		Target: drive.TargetOf(plan, env.Name),
	}
}
