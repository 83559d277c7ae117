// Package github opens pull requests on GitHub, or a GitHub Enterprise Server, finds out what
// became of them, and withdraws them. It is an implementation of git.Reviews, and knows nothing of
// what is proposed: the branch is pushed by package git.
//
//	reviews, err := github.New(github.Config{Repository: "acme/deploy", Token: "env:GITHUB_TOKEN"})
//	repository.Reviews = reviews
package github

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/git"
	"github.com/fairwayhq/fairway/internal/secret"
)

// timeout bounds one request.
const timeout = 30 * time.Second

// Config says which repository is meant.
type Config struct {
	// Repository is OWNER/NAME.
	Repository string
	// API is where a GitHub Enterprise Server answers, such as
	// https://github.example.com/api/v3/. Empty: github.com.
	API string
	// Token refers to a secret, as package secret reads it. It needs the right to read and
	// write pull requests and contents.
	Token string
}

// Reviews are the pull requests of one repository.
type Reviews struct {
	client      *github.Client
	owner, name string
}

var _ git.Reviews = (*Reviews)(nil)

// New reads the token; it sends nothing.
func New(config Config) (*Reviews, error) {
	owner, name, ok := strings.Cut(config.Repository, "/")
	if !ok || owner == "" || name == "" || strings.ContainsAny(name, "/?#% ") || strings.ContainsAny(owner, "?#% ") {
		return nil, fault.Errorf(fault.Invalid, "%q is no repository on GitHub", config.Repository).
			WithHint("name it as OWNER/NAME")
	}
	secrets, err := secret.Resolve(map[string]string{"github.token": config.Token})
	if err != nil {
		return nil, err
	}
	options := []github.ClientOptionsFunc{
		github.WithAuthToken(strings.TrimSpace(secrets["github.token"])),
		github.WithUserAgent("fairway"), github.WithTimeout(timeout), github.WithEnvProxy(),
	}
	if config.API != "" {
		address := strings.TrimSuffix(config.API, "/") + "/"
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || (u.Scheme != "https" && !loopback(u.Hostname())) {
			return nil, fault.Errorf(fault.Invalid, "%q is no URL of GitHub's API", config.API).
				WithHint("it begins with https://, so that nobody reads the token, and of a GitHub Enterprise Server ends in /api/v3/")
		}
		options = append(options, github.WithURLs(&address, nil))
	}
	client, err := github.NewClient(options...)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "reach GitHub: %w", err)
	}
	return &Reviews{client: client, owner: owner, name: name}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Find returns the newest pull request from a branch of the repository into another one.
func (r *Reviews) Find(ctx context.Context, branch, base string) (git.PullRequest, bool, error) {
	found, _, err := r.client.PullRequests.List(ctx, r.owner, r.name, &github.PullRequestListOptions{
		State: "all", Head: r.owner + ":" + branch, Base: base, Sort: "created", Direction: "desc",
		ListOptions: github.ListOptions{PerPage: 10},
	})
	if err != nil {
		return git.PullRequest{}, false, r.trouble("list the pull requests", err)
	}
	// A server that does not know the filter returns others too.
	for _, p := range found {
		if p.GetHead().GetRef() == branch && p.GetBase().GetRef() == base {
			return pullRequest(p), true, nil
		}
	}
	return git.PullRequest{}, false, nil
}

// Request opens a pull request.
func (r *Reviews) Request(ctx context.Context, proposal git.Proposal) (git.PullRequest, error) {
	opened, _, err := r.client.PullRequests.Create(ctx, r.owner, r.name, github.CreatePullRequest{
		Title: &proposal.Title, Body: &proposal.Body, Head: proposal.Branch, Base: proposal.Base,
	})
	if err != nil {
		return git.PullRequest{}, r.trouble("open a pull request", err)
	}
	return pullRequest(opened), nil
}

// Withdraw closes the pull request, if it is open, and deletes its branch, unless it was merged.
func (r *Reviews) Withdraw(ctx context.Context, branch, base string) (git.PullRequest, bool, error) {
	found, ok, err := r.Find(ctx, branch, base)
	if err != nil {
		return found, ok, err
	}
	if found.State == git.Open {
		closed, _, err := r.client.PullRequests.Edit(ctx, r.owner, r.name, found.Number, &github.PullRequest{State: new("closed")})
		if err != nil {
			again, still, unknown := r.Find(ctx, branch, base) // somebody may have merged it meanwhile
			if unknown != nil || !still || again.State == git.Open {
				return found, ok, r.trouble("close a pull request", err)
			}
			found = again
		} else {
			found = pullRequest(closed)
		}
	}
	if found.State == git.Merged {
		return found, ok, nil
	}
	return found, ok, r.forget(ctx, branch)
}

// forget deletes a branch, if there is one and the token may: what is closed does no harm.
func (r *Reviews) forget(ctx context.Context, branch string) error {
	_, err := r.client.Git.DeleteRef(ctx, r.owner, r.name, "heads/"+branch)
	if err == nil {
		return nil
	}
	err = r.trouble("delete a branch", err)
	if code := fault.CodeOf(err); code == fault.Invalid || code == fault.NotFound || code == fault.Denied {
		return nil
	}
	return err
}

func pullRequest(p *github.PullRequest) git.PullRequest {
	state := git.Open
	switch {
	case p.MergedAt != nil || p.GetMerged():
		state = git.Merged
	case p.GetState() != "open":
		state = git.Closed
	}
	return git.PullRequest{Number: p.GetNumber(), URL: p.GetHTMLURL(), State: state}
}

// trouble says what an answer means that is no success.
func (r *Reviews) trouble(verb string, err error) error {
	what := verb + " of " + r.owner + "/" + r.name
	var answer *github.ErrorResponse
	var limited *github.RateLimitError
	var slowed *github.AbuseRateLimitError
	switch {
	case errors.As(err, &limited), errors.As(err, &slowed), !errors.As(err, &answer):
		return fault.Errorf(fault.Unavailable, "%s: %w", what, err)
	}
	said := answer.Message
	for _, e := range answer.Errors {
		if e.Message != "" {
			said += "; " + e.Message
		}
	}
	switch code := answer.Response.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fault.Errorf(fault.Denied, "%s: GitHub says %q", what, said).
			WithHint("the token needs to read and write pull requests and contents")
	case code == http.StatusNotFound:
		return fault.Errorf(fault.NotFound, "%s: GitHub says %q", what, said).
			WithHint("GitHub also says so of a repository that the token may not read")
	case code == http.StatusUnprocessableEntity && strings.Contains(said, "already exists"):
		return fault.Errorf(fault.Conflict, "%s: GitHub says %q", what, said)
	case code == http.StatusUnprocessableEntity:
		return fault.Errorf(fault.Invalid, "%s: GitHub says %q", what, said)
	}
	return fault.Errorf(fault.Unavailable, "%s: GitHub answers %s %q", what, answer.Response.Status, said)
}
