package store_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/store"
)

var day = time.Unix(1_800_000_000, 0).UTC()

// The test binary is also the process that is killed, when this names its database.
const crashDatabase = "FAIRWAY_TEST_CRASH_DATABASE"

const crashReleases = 12

func TestMain(m *testing.M) {
	if path := os.Getenv(crashDatabase); path != "" {
		writeUntilKilled(path)
	}
	if path := os.Getenv(memoryDatabase); path != "" {
		if err := useOnce(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// writeUntilKilled moves releases and prints "release seq" after each acknowledged update.
func writeUntilKilled(path string) {
	st, err := store.Open(context.Background(), store.Config{Path: path})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for i := range crashReleases {
		go func() {
			id := fmt.Sprintf("r%02d", i)
			for step := 0; ; step++ {
				var seq int64
				err := st.Update(context.Background(), func(tx *store.Tx) error {
					if err := transition(tx, id, step); err != nil {
						return err
					}
					r, err := tx.LoadRun(id)
					seq = r.Seq
					return err
				})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println(id, seq)
				mu.Unlock()
			}
		}()
	}
	select {}
}

func TestNothingAcknowledgedIsLostByKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fairway.db")
	st, err := store.Open(t.Context(), store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for i := range crashReleases {
		addRelease(t, st, fmt.Sprintf("r%02d", i))
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	acknowledged := make(map[string]int64)
	const kills = 20
	for range kills {
		runAndKill(t, path, 1+rand.IntN(400), acknowledged)
		checkAcknowledged(t, path, acknowledged)
		if t.Failed() {
			return
		}
	}
	var sum int64
	for _, seq := range acknowledged {
		sum += seq
	}
	t.Logf("%d kills over %d acknowledged lines", kills, sum)
}

// runAndKill kills the writing process after the number of acknowledgements, and notes them and the rest that it still printed.
func runAndKill(t *testing.T, path string, after int, acknowledged map[string]int64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashDatabase+"="+path)
	var trouble strings.Builder
	child.Stderr = &trouble
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		var id string
		var seq int64
		if _, err := fmt.Sscan(lines.Text(), &id, &seq); err == nil {
			acknowledged[id] = max(acknowledged[id], seq)
		}
		switch n {
		case 0:
			_, err := store.Open(t.Context(), store.Config{Path: path})
			wantFault(t, err, fault.Conflict, fmt.Sprintf("another Fairway server (process %d)", child.Process.Pid))
		case after:
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, _ = io.Copy(io.Discard, out)
	if err := child.Wait(); err == nil || trouble.Len() > 0 {
		t.Fatalf("the writing process was not killed but ended: %v %s", err, trouble.String())
	}
}

func checkAcknowledged(t *testing.T, path string, acknowledged map[string]int64) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	err = st.View(t.Context(), func(tx *store.Tx) error {
		for id, seq := range acknowledged {
			r, err := tx.LoadRun(id)
			if err != nil {
				return err
			}
			if r.Seq < seq {
				return fmt.Errorf("release %s is at line %d, but line %d was acknowledged", id, r.Seq, seq)
			}
			if err := verifyChain(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

func verifyChain(tx *store.Tx, r drive.Record) error {
	lines, err := tx.LoadEvents(r.Release, 0, 0)
	if err != nil {
		return err
	}
	return ledger.VerifyTo(lines, ledger.Head{Seq: r.Seq, Hash: r.Hash})
}
