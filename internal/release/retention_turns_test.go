package release_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
)

// turning is a store that notes which turns its updates take, and in which order.
type turning struct {
	release.Store
	taken *[][]string
}

type turningTx struct {
	release.Tx
	taken *[][]string
}

func (s turning) Update(ctx context.Context, f func(release.Tx) error) error {
	return s.Store.Update(ctx, func(tx release.Tx) error { return f(turningTx{tx, s.taken}) })
}

func (t turningTx) Turn(services ...string) error {
	*t.taken = append(*t.taken, services)
	return t.Tx.Turn(services...)
}

// LoadRun takes the turn of the release's service, which here has its name.
func (t turningTx) LoadRun(id string) (drive.Record, error) {
	*t.taken = append(*t.taken, []string{id})
	return t.Tx.LoadRun(id)
}

// Who takes turns one by one begins anew for each that somebody else has.
func TestOldHistoriesAreRemovedInTurnsThatAreTakenAtOnce(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "fairway.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	d := drive.New(drive.Config{Store: st.Drive(), Now: clock})
	for _, id := range []string{"cart", "shop", "till"} {
		add(t, st, d, id, now)
		if err := d.Apply(t.Context(), id, pipeline.Event{Kind: pipeline.EventRollback, Actor: "ben"}); err != nil {
			t.Fatal(err)
		}
	}
	together := shipTogether(t, release.New(release.Config{Store: st.Release(), Drive: d, Now: clock}), "shop", "bank")
	if err := d.Apply(t.Context(), together, pipeline.Event{Kind: pipeline.EventRollback, Actor: "ben"}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(48 * time.Hour)
	var taken [][]string
	removed := 0
	control := release.New(release.Config{Store: turning{st.Release(), &taken}, Drive: d, Now: clock})
	err = control.Retain(t.Context(), release.Retention{Events: time.Hour}, func(r release.Removed) { removed += r.Releases })
	if err != nil || removed != 4 {
		t.Fatalf("of four histories %d are removed, %v", removed, err)
	}
	if len(taken) == 0 {
		t.Fatal("no turn is taken")
	}
	first := slices.Compact(slices.Sorted(slices.Values(taken[0])))
	if all := []string{"bank", "cart", "shop", "till"}; !slices.Equal(first, all) {
		t.Errorf("the turns are taken as %v, want %v first", taken, all)
	}
}

// shipTogether ships the service together with another one that it needs.
func shipTogether(t *testing.T, control *release.Control, service, other string) (id string) {
	t.Helper()
	definition := fmt.Sprintf(approved, service) + "with: [" + other + "]\n"
	digest := "sha256:" + strings.Repeat("1", 64)
	id, err := control.Create(t.Context(), auth.Identity{User: "anna", Roles: []auth.Role{auth.Developer}}, release.Request{
		Definition: definition, Artifact: "./shop", Digest: digest,
		With: []release.ComponentRequest{{Service: other, Definition: fmt.Sprintf(approved, other), Artifact: "./shop", Digest: digest}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}
