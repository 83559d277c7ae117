package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
	"github.com/fairwayhq/fairway/test/postgres"
)

func TestPostgres(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	empty, url := database(t, server)
	if err := openPostgres(t, url).Close(); err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t testing.TB) storetest.Store {
		url, err := server.Copy(fmt.Sprintf("copy%d", databases.Add(1)), empty)
		if err != nil {
			t.Fatal(err)
		}
		return openedPostgres(t, url)
	})
}

var databases atomic.Int32

// database makes an empty one.
func database(t testing.TB, server *postgres.Server) (name, url string) {
	t.Helper()
	name = fmt.Sprintf("test%d", databases.Add(1))
	url, err := server.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	return name, url
}

func openPostgres(t testing.TB, url string) *store.Postgres {
	t.Helper()
	st, err := store.OpenPostgres(context.Background(), store.PostgresConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func openedPostgres(t testing.TB, url string) storetest.Store {
	t.Helper()
	st := openPostgres(t, url)
	return storetest.Store{Drive: st.Drive(), Release: st.Release(), Auth: st.Auth(),
		Reopen: func(t testing.TB) storetest.Store {
			if err := st.Close(); err != nil {
				t.Errorf("close the store: %v", err)
			}
			return openedPostgres(t, url)
		}}
}

// The servers' user need not own the tables: what the guide grants it is enough.
func TestAServerNeedsNoMoreRightsThanTheGuideSays(t *testing.T) {
	guide, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	grants := regexp.MustCompile(`(?m)^    ((?:GRANT|ALTER DEFAULT) .* TO fairway_server);$`).FindAllStringSubmatch(string(guide), -1)
	if len(grants) < 3 {
		t.Fatalf("the guide grants %q", grants)
	}
	server := postgres.ForTest(t, "fsync=off")
	name, url := database(t, server)
	must(t, openPostgres(t, url).Close()) // by the owner, who makes the tables
	must(t, server.Exec(name, "CREATE ROLE fairway_server LOGIN"))
	theirs := func(url string) string { return strings.Replace(url, "//fairway@", "//fairway_server@", 1) }
	_, err = store.OpenPostgres(t.Context(), store.PostgresConfig{URL: theirs(url), Log: slog.New(slog.DiscardHandler)})
	if fault.CodeOf(err) != fault.Denied || !strings.Contains(fault.HintOf(err), "docs/operations.md") {
		t.Errorf("before anything is granted: %v (%s)", err, fault.HintOf(err))
	}
	for _, grant := range grants {
		must(t, server.Exec(name, grant[1]))
	}
	must(t, server.Exec(name, "CREATE TABLE of_a_later_version AS SELECT 7 AS n"))
	var n int
	if err := server.Scan(t.Context(), theirs(url), &n, "SELECT n FROM of_a_later_version"); err != nil || n != 7 {
		t.Errorf("a table of a later version shows %d, %v", n, err)
	}
	must(t, server.Exec(name, "DROP TABLE of_a_later_version"))
	storetest.Run(t, func(t testing.TB) storetest.Store {
		url, err := server.Copy(fmt.Sprintf("copy%d", databases.Add(1)), name)
		if err != nil {
			t.Fatal(err)
		}
		return openedPostgres(t, theirs(url))
	})
}

// The guide restores a dump into another database, as another owner.
func TestADumpThatIsRestoredGoesOn(t *testing.T) {
	for _, program := range []string{"pg_dump", "pg_restore"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s on this machine", program)
		}
	}
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	st := openPostgres(t, url)
	addReleaseOf(t, st, "r0", "shop")
	for n := range 4 {
		must(t, addLine(t.Context(), st, "r0", fmt.Sprint("line ", n)))
	}
	_, other := database(t, server)
	file := filepath.Join(t.TempDir(), "fairway.dump")
	for _, args := range [][]string{{"pg_dump", "-Fc", "-f", file, url}, {"pg_restore", "--no-owner", "-d", other, file}} {
		if output, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, output)
		}
	}
	restored := openPostgres(t, other)
	must(t, addLine(t.Context(), restored, "r0", "after the restore"))
	was, is := recent(t, st), recent(t, restored)
	if len(is) != len(was)+1 || is[len(is)-1].Text != "after the restore" {
		t.Fatalf("it has %d lines of %d and one more; the last is %+v", len(is), len(was), is[len(is)-1])
	}
	if err := ledger.Verify(is); err != nil {
		t.Error(err)
	}
}
