package app

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/store"
)

// killed is what a step panics with in the place of kill -9: nothing after it runs.
type killed struct{}

// mortal is a store whose process dies at its commit number at: before it, or just after.
type mortal struct {
	auth.Store
	at      int
	after   bool
	commits int
}

func (m *mortal) Update(ctx context.Context, f func(auth.Tx) error) error {
	m.commits++
	if m.commits == m.at && !m.after {
		panic(killed{})
	}
	err := m.Store.Update(ctx, f)
	if m.commits == m.at {
		panic(killed{})
	}
	return err
}

func TestAKillAtAnyPointOfTheFirstStartLeavesATokenThatWorksAtTheNext(t *testing.T) {
	for name, first := range map[string]struct {
		at       int
		after    bool
		leftover string
	}{
		"before the admin is stored":        {at: 1},
		"after the admin is stored":         {at: 1, after: true},
		"in the middle of the file":         {at: 2, leftover: "fw_ab"},
		"with the file, but not yet stored": {at: 2},
		"after the token is stored":         {at: 2, after: true},
		"not at all":                        {},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(dir, "fairway.db")})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			path := filepath.Join(dir, "admin-token")
			survived := start(t, dir, &mortal{Store: st.Auth(), at: first.at, after: first.after})
			if survived == (first.at > 0) {
				t.Fatalf("the first start survived: %v", survived)
			}
			if first.leftover != "" { // the kill came before the rename
				if err := os.Rename(path, path+".new"); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path+".new", []byte(first.leftover), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if !start(t, dir, &mortal{Store: st.Auth()}) {
				t.Fatal("the second start did not come to its end")
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			who, err := auth.New(st.Auth()).Authenticate(t.Context(), strings.TrimSpace(string(text)))
			if err != nil || !who.Has(auth.Admin) {
				t.Errorf("the file's token is %+v, %v; want the admin's", who, err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file is %v, %v; want only its owner to read it", info.Mode(), err)
			}
		})
	}
}

// start makes the first token as a start of the server does, and tells whether it
// survived.
func start(t *testing.T, dir string, st auth.Store) (survived bool) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
		}
	}()
	if err := firstToken(t.Context(), ServerConfig{DataDir: dir, Out: io.Discard}, auth.New(st)); err != nil {
		t.Fatal(err)
	}
	return true
}
