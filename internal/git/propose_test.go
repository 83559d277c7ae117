package git_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/git"
)

// board is where pull requests stand, in memory.
type board struct {
	requests map[string]*git.PullRequest
	asked    []git.Proposal
	fails    error // the next Request fails, after it has or has not opened one
	opens    bool
}

func (b *board) Find(_ context.Context, branch, base string) (git.PullRequest, bool, error) {
	p, ok := b.requests[branch+" into "+base]
	if !ok {
		return git.PullRequest{}, false, nil
	}
	return *p, true, nil
}

func (b *board) Request(_ context.Context, p git.Proposal) (git.PullRequest, error) {
	name := p.Branch + " into " + p.Base
	if b.requests[name] != nil {
		return git.PullRequest{}, fault.Errorf(fault.Conflict, "there is one already")
	}
	err := b.fails
	b.fails = nil
	if err != nil && !b.opens {
		return git.PullRequest{}, err
	}
	b.asked = append(b.asked, p)
	b.requests[name] = &git.PullRequest{Number: len(b.asked), URL: "https://git.example.com/1", State: git.Open}
	return *b.requests[name], err
}

func (b *board) Withdraw(_ context.Context, branch, base string) (git.PullRequest, bool, error) {
	p, ok := b.requests[branch+" into "+base]
	if !ok {
		return git.PullRequest{}, false, nil
	}
	if p.State == git.Open {
		p.State = git.Closed
	}
	return *p, true, nil
}

const proposed = "fairway/shop-production-R1"

func TestAChangeIsProposedOnce(t *testing.T) {
	for name, reviews := range map[string]*board{
		"at once":                            {},
		"after a failure before it was open": {fails: errors.New("gone")},
		"after an answer that was lost":      {fails: errors.New("gone"), opens: true},
	} {
		t.Run(name, func(t *testing.T) {
			reviews.requests = map[string]*git.PullRequest{}
			r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": shop})
			base := r.head("main")
			repository := r.repository(r.dir)
			repository.Reviews = reviews
			if reviews.fails != nil {
				if _, err := repository.Propose(t.Context(), release); err == nil {
					t.Fatal("a failure was not told")
				}
			}
			result, err := repository.Propose(t.Context(), release)
			if err != nil || result.PullRequest == nil || *result.PullRequest != (git.PullRequest{Number: 1, URL: "https://git.example.com/1", State: git.Open}) {
				t.Fatalf("Propose() = %+v, %v", result, err)
			}
			if r.head("main") != base || r.commits(proposed) != 2 {
				t.Errorf("main is %s, and was %s; the proposal has %d commits", r.head("main"), base, r.commits(proposed))
			}
			if text := r.file(proposed, "apps/shop/deployment.yaml"); !strings.Contains(text, newDigest) {
				t.Errorf("what is proposed is\n%s", text)
			}
			if len(reviews.asked) != 1 {
				t.Fatalf("asked for %+v", reviews.asked)
			}
			asked := reviews.asked[0]
			if asked.Branch != proposed || asked.Base != "main" || asked.Title != "Release shop v2 (4f4f4f4f4f4f) to production" || !strings.Contains(asked.Body, "Fairway-Release: R1\n") {
				t.Errorf("asked for %+v", asked)
			}
		})
	}
}

func TestAProposalIsFollowedToItsEnd(t *testing.T) {
	r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": shop})
	reviews := &board{requests: map[string]*git.PullRequest{}}
	repository := r.repository(r.dir)
	repository.Reviews = reviews
	propose := func(change git.Change) git.Result {
		t.Helper()
		result, err := repository.Propose(t.Context(), change)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	propose(release)
	for _, state := range []git.State{git.Closed, git.Merged} {
		reviews.requests[proposed+" into main"].State = state
		if got := propose(release).PullRequest; got == nil || got.State != state || len(reviews.asked) != 1 {
			t.Errorf("Propose() = %+v, want a pull request that is %s, and no other", got, state)
		}
	}
	// The branch is gone after the merge, and so is what the host knows.
	run(t, r.dir, "git", "update-ref", "refs/heads/main", proposed)
	run(t, r.dir, "git", "update-ref", "-d", "refs/heads/"+proposed)
	delete(reviews.requests, proposed+" into main")
	if got := propose(release); got.PullRequest != nil || got.Commit != r.head("main") {
		t.Errorf("Propose() after the merge = %+v", got)
	}
	// A rollback of the same release is another proposal.
	if got := propose(goBack()); got.PullRequest == nil || r.commits(proposed+"-rollback") != 3 {
		t.Errorf("Propose() of a rollback = %+v", got)
	}
}

func TestAProposalIsWithdrawn(t *testing.T) {
	r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": shop})
	repository := r.repository(r.dir)
	repository.Reviews = &board{requests: map[string]*git.PullRequest{}}
	if got, err := repository.Withdraw(t.Context(), release); got != nil || err != nil {
		t.Errorf("Withdraw() of what was not proposed = %+v, %v", got, err)
	}
	if _, err := repository.Propose(t.Context(), release); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := repository.Withdraw(t.Context(), release); err != nil || got == nil || got.State != git.Closed {
			t.Errorf("Withdraw() = %+v, %v", got, err)
		}
	}
	if got, err := repository.Propose(t.Context(), release); err != nil || got.PullRequest.State != git.Closed {
		t.Errorf("Propose() of what was withdrawn = %+v, %v", got, err)
	}
}

func TestAForeignBranchIsNotTaken(t *testing.T) {
	r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": shop})
	r.push(proposed, map[string]string{"x": "y"})
	head := r.head(proposed)
	repository := r.repository(r.dir)
	repository.Reviews = &board{requests: map[string]*git.PullRequest{}}
	if _, err := repository.Propose(t.Context(), release); fault.CodeOf(err) != fault.Conflict || r.head(proposed) != head {
		t.Errorf("Propose() = %v, and the branch is %s", err, r.head(proposed))
	}
}

func TestProposingNeedsToKnowHow(t *testing.T) {
	if _, err := (git.Repository{URL: "x", Branch: "main"}).Propose(t.Context(), release); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("Propose() = %v", err)
	}
}

func TestARollbackIsNotProposedWhereSomebodyHasSetAnotherImage(t *testing.T) {
	reviews := &board{requests: map[string]*git.PullRequest{}}
	r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": strings.Replace(shop, "shop:v1", "shop:v3", 1)})
	repository := r.repository(r.dir)
	repository.Reviews = reviews
	back := goBack()
	back.Replaces = release.Image
	result, err := repository.Propose(t.Context(), back)
	if err != nil || !result.Overwritten || result.Before != "registry.example.com/shop:v3" || len(reviews.asked) > 0 {
		t.Errorf("Propose() = %+v, %v; asked for was %+v", result, err, reviews.asked)
	}
}
