package app

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/git"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// shopImage reads which image the checkout's manifest names, and in which folder it stands.
func shopImage(t *testing.T, c *checkouts, r git.Repository) (image, folder string) {
	t.Helper()
	err := c.read(t.Context(), r, func(f string) error {
		text, err := os.ReadFile(filepath.Join(f, "apps/shop/shop.yaml"))
		_, after, _ := strings.Cut(string(text), "registry.example.com/shop:")
		image, _, _ = strings.Cut(after, "@")
		folder = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return image, folder
}

func TestAReadBranchIsUsedAgainForAMoment(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	bare := deployed(t)
	worker := truth{dir: t.TempDir(), checkouts: newCheckouts(time.Hour)}
	where := pipeline.Git{Repository: bare, Branch: "main", Path: "apps/shop", Deployment: "shop", Container: "app"}
	r, err := worker.repository(where)
	if err != nil {
		t.Fatal(err)
	}
	before, folder := shopImage(t, worker.checkouts, r)
	if again, same := shopImage(t, worker.checkouts, r); again != before || same != folder {
		t.Errorf("%s in %s was read again as %s in %s", before, folder, again, same)
	}
	other := r
	other.Token = "another"
	if worker.checkouts.use(branchOf(other)) != nil {
		t.Error("who has another token reads what the first may read")
	}

	change := stage.TruthChange{Release: "01J", Service: "shop", Environment: "production", Image: "registry.example.com/shop:v2@sha256:" + strings.Repeat("2", 64)}
	if told, err := worker.Tell(t.Context(), where, change); err != nil || !told.Done {
		t.Fatalf("%+v, %v", told, err)
	}
	if after, _ := shopImage(t, worker.checkouts, r); before == "v2" || after != "v2" {
		t.Errorf("after %s its own change reads as %s", before, after)
	}
	worker.checkouts.forget(r)
	if left, _ := filepath.Glob(filepath.Join(temp, "fairway-truth-*")); len(left) > 0 {
		t.Errorf("there are left: %v", left)
	}
}

func TestACheckoutGoesAfterItsTimeButNotUnderItsReaders(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	c := newCheckouts(time.Millisecond)
	r := git.Repository{URL: deployed(t), Branch: "main", Dir: t.TempDir(), Place: git.Place{Path: "apps/shop", Deployment: "shop", Container: "app"}}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			err := c.read(t.Context(), r, func(folder string) error {
				time.Sleep(50 * time.Millisecond) // many times as long as it is kept
				_, err := os.Stat(filepath.Join(folder, "apps/shop/shop.yaml"))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
	deadline := time.Now().Add(10 * time.Second)
	for {
		left, _ := filepath.Glob(filepath.Join(temp, "fairway-truth-*"))
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are left: %v", left)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
