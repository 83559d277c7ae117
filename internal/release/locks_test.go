package release_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

const deployed = `service: %s
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [{deploy: {}, timeLimit: 10m}]
`

// replica is one of several servers on a database.
type replica struct {
	*release.Control
	drive *drive.Drive
	store *store.Postgres
}

func newReplica(t *testing.T, url string) *replica {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.OpenPostgres(context.Background(), store.PostgresConfig{URL: url, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	d := drive.New(drive.Config{Store: st.Drive(), Log: quiet})
	return &replica{release.New(release.Config{Store: st.Release(), Drive: d}), d, st}
}

// Teams that share artifacts release them together, in one order and in the other, while facts
// about them come in and freezes begin and end.
func TestTeamsThatShareArtifactsDoNotLockEachOtherOut(t *testing.T) {
	const teams, rounds = 4, 8
	server := postgres.ForTest(t, "fsync=off", "deadlock_timeout=5ms")
	url, err := server.Create("teams")
	if err != nil {
		t.Fatal(err)
	}
	replicas := []*replica{newReplica(t, url), newReplica(t, url)}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var shipping, beside sync.WaitGroup
	for i, r := range replicas {
		beside.Go(func() { r.work(ctx, t, fmt.Sprint("w", i)) })
		beside.Go(func() { r.addFacts(ctx, t, i) })
	}
	beside.Go(func() { replicas[0].freezeAndThaw(ctx, t) })
	for i := range teams {
		shipping.Go(func() {
			for range rounds {
				replicas[i%2].ship(t, i)
			}
		})
	}
	shipping.Wait()
	end()
	beside.Wait()
	for _, r := range replicas {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := server.Deadlocks("teams"); n != 0 || err != nil {
		t.Errorf("transactions had locked each other out %d times, %v", n, err)
	}
}

// shared are the digests of the artifacts of all teams.
var shared = [2]string{"sha256:" + strings.Repeat("a", 64), "sha256:" + strings.Repeat("b", 64)}

// ship ships the team's two services and waits until they are released.
func (r *replica) ship(t *testing.T, team int) {
	front, back := fmt.Sprint("front", team), fmt.Sprint("back", team)
	id, err := r.Create(t.Context(), auth.Identity{User: "anna", Roles: []auth.Role{auth.Developer}}, release.Request{
		Definition: fmt.Sprintf(deployed, front) + "with: [" + back + "]\n", Artifact: "./shop", Digest: shared[team/2],
		With: []release.ComponentRequest{{Service: back, Definition: fmt.Sprintf(deployed, back), Artifact: "./shop", Digest: shared[1-team/2]}},
	})
	if err != nil {
		t.Error(err)
		return
	}
	changed, stop := r.drive.Changed()
	defer stop()
	for limit := time.After(time.Minute); ; {
		d, err := r.Get(t.Context(), auth.Identity{User: "anna"}, id)
		if err != nil || d.Run.State.Final() {
			if err != nil || d.Run.State != pipeline.RunSucceeded {
				t.Errorf("team %d: the release is %s, %v", team, d.Run.State, err)
			}
			return
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond): // the other server may have moved it
		case <-limit:
			t.Errorf("team %d: the release is still %s", team, d.Run.State)
			return
		}
	}
}

// work lets every task pass.
func (r *replica) work(ctx context.Context, t *testing.T, worker string) {
	for ctx.Err() == nil {
		tasks, err := r.drive.Lease(ctx, drive.LeaseAsk{Worker: worker, Max: 4, Wait: time.Second, Entries: true})
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		var all sync.WaitGroup
		for _, task := range tasks {
			all.Go(func() {
				_, err := r.drive.Report(context.WithoutCancel(ctx), drive.Report{
					Task: task.ID, Release: task.Release, Entry: task.Entry, Environment: task.Environment, Region: task.Region,
					Worker: worker, Fence: task.Fence, Number: 1, Outcome: stage.Outcome{Status: stage.Passed, Exposed: true},
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

func (r *replica) addFacts(ctx context.Context, t *testing.T, first int) {
	const most = 300 // every run of the artifact is read with all of them
	for n := first; ctx.Err() == nil && n < most; n++ {
		_, err := r.AddEvidence(ctx, auth.Identity{User: "ci", Roles: []auth.Role{auth.QA}}, pipeline.Evidence{Digest: shared[n%2], Kind: "tests", Status: "passed"})
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
}

func (r *replica) freezeAndThaw(ctx context.Context, t *testing.T) {
	who := auth.Identity{User: "sue", Roles: []auth.Role{auth.SRE}}
	for ctx.Err() == nil {
		f, err := r.Freeze(ctx, who, drive.Freeze{Service: "other", Reason: "audit"})
		if err == nil {
			err = r.Unfreeze(ctx, who, f.ID)
		}
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
}
