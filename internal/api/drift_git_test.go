package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
)

const inGit = onKubernetes + `git: {repository: "https://git.example.com/deploy.git", path: apps/shop}
`

// answering plays a worker that answers every inquiry, by what it is about, and counts.
func (r *rig) answering(worker *client.Client, asked map[inquiry.About]int, answers map[inquiry.About]inquiry.Answer) {
	r.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- r.control.LookForDrift(r.t.Context()) }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				r.t.Error(err)
			}
			return
		default:
		}
		taken, err := worker.Take(r.t.Context(), inquiry.Wish{Worker: "w", Wait: 50 * time.Millisecond})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, q := range taken {
			asked[q.About]++
			a := answers[q.About]
			a.Inquiry, a.Environment, a.Worker = q.ID, q.Target.Environment, "w"
			if err := worker.Answer(r.t.Context(), a); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

func changed(path string) drift.Difference {
	return drift.Difference{Object: drift.Identity{Kind: "Deployment", Name: "shop"}, What: drift.Changed, Path: path, Desired: 1, Live: 2}
}

func TestTheRepositoryIsLookedAtToo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	d := ship(t, ann, client.NewRelease{Definition: inGit, Version: "v1", Artifact: "ghcr.io/acme/shop", Digest: digest1})
	work(t, worker, passed)
	work(t, worker, passed)

	asked := map[inquiry.About]int{}
	away := &inquiry.Trouble{Code: fault.Unavailable, Message: "fetch: no route to host"}
	steps := []struct {
		when      string
		plan, git []drift.Difference
		trouble   *inquiry.Trouble
		lines     []string
	}{
		{"where all agree", nil, nil, nil, nil},
		{"after an edit in the repository", nil, []drift.Difference{changed("spec.a")}, nil, []string{
			"drift.found: What runs in production is not as the repository says: Deployment shop spec.a."}},
		{"while the repository is away", nil, nil, away, []string{
			"drift.unknown: What the repository says of production could not be compared: the worker w of production: fetch: no route to host."}},
		{"while it stays away, in other words", nil, nil, &inquiry.Trouble{Code: fault.Unavailable, Message: "time-out"}, nil},
		{"when the cluster is edited meanwhile", []drift.Difference{changed("spec.b")}, nil, away, []string{
			"drift.found: What runs in production is not as the release says: Deployment shop spec.b."}},
		{"when it is back, with what it said", []drift.Difference{changed("spec.b")}, []drift.Difference{changed("spec.a")}, nil, []string{
			"drift.known: What the repository says of production is compared again."}},
		{"when all agree again", nil, nil, nil, []string{
			"drift.gone: What runs in production is as the release and the repository say again."}},
		{"after an edit of the cluster", []drift.Difference{changed("spec.c")}, []drift.Difference{changed("spec.c")}, nil, []string{
			"drift.found: What runs in production is not as the release and the repository say: Deployment shop spec.c."}},
	}
	var want []string
	for i, s := range steps {
		r.answering(worker, asked, map[inquiry.About]inquiry.Answer{inquiry.Drift: {Differences: s.plan}, inquiry.Truth: {Differences: s.git, Trouble: s.trouble}})
		want = append(want, s.lines...)
		if got := r.told(ann, d.ID); !slices.Equal(got, want) {
			t.Fatalf("%s it was told\n%s\nand not\n%s", s.when, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if asked[inquiry.Drift] != i+1 || asked[inquiry.Truth] != i+1 {
			t.Errorf("%s the worker was asked %v", s.when, asked)
		}
		if s.trouble != nil {
			service, err := ann.Service(t.Context(), "shop")
			if err != nil {
				t.Fatal(err)
			}
			if g := service.Environments[0].Drift.Git; g == nil || !strings.Contains(g.Unknown, s.trouble.Message) || !slices.Equal(g.Fields, []string{"Deployment shop spec.a"}) {
				t.Errorf("%s the service shows %+v", s.when, g)
			}
		}
	}
}

// Two services in one repository that cannot be reached: it is tried once, and the cluster
// of both is looked at.
func TestARepositoryThatIsAwayIsTriedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	for _, service := range []string{"shop", "cart"} {
		definition := strings.Replace(inGit, "service: shop", "service: "+service, 1)
		ship(t, ann, client.NewRelease{Definition: definition, Version: "v1", Artifact: "ghcr.io/acme/shop", Digest: digest1})
		work(t, worker, passed)
		work(t, worker, passed)
	}
	asked := map[inquiry.About]int{}
	away := inquiry.Answer{Trouble: &inquiry.Trouble{Code: fault.Unavailable, Message: "time-out"}}
	r.answering(worker, asked, map[inquiry.About]inquiry.Answer{inquiry.Truth: away})
	if asked[inquiry.Drift] != 2 || asked[inquiry.Truth] != 1 {
		t.Errorf("the worker was asked %v", asked)
	}
}
