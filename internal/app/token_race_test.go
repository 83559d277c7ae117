package app

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// Servers that start on an empty database at the same time find one admin, and one token.
func TestFirstServersThatStartTogetherKeepOneTokenThatWorks(t *testing.T) {
	const rounds, servers = 8, 4
	database := postgres.ForTest(t, "fsync=off")
	for round := range rounds {
		url, err := database.Create(fmt.Sprint("fairway", round))
		if err != nil {
			t.Fatal(err)
		}
		st, err := store.OpenPostgres(t.Context(), store.PostgresConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		start, dirs := make(chan struct{}), make([]string, servers)
		for i := range dirs {
			dirs[i] = t.TempDir()
			all.Go(func() {
				<-start
				if err := firstToken(t.Context(), ServerConfig{DataDir: dirs[i], Out: io.Discard}, auth.New(st.Auth())); err != nil {
					t.Errorf("server %d of round %d: %v", i, round, err)
				}
			})
		}
		close(start)
		all.Wait()
		kept := 0
		for _, dir := range dirs {
			text, err := os.ReadFile(filepath.Join(dir, "admin-token"))
			if os.IsNotExist(err) {
				continue
			}
			if _, err := auth.New(st.Auth()).Authenticate(t.Context(), strings.TrimSpace(string(text))); err != nil {
				t.Errorf("a token that was kept in round %d: %v", round, err)
			}
			kept++
		}
		if kept != 1 {
			t.Errorf("in round %d %d servers kept a token, want 1", round, kept)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}
