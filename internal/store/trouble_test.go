package store_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

func TestADatabaseThatCannotBeUsedSaysWhy(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	exec := func(database, statement string) {
		t.Helper()
		if err := server.Exec(database, statement); err != nil {
			t.Fatal(err)
		}
	}
	_, fresh := database(t, server)
	foreign, foreignURL := database(t, server)
	exec(foreign, "CREATE TABLE orders (id INT)")
	newer, newerURL := database(t, server)
	if err := openPostgres(t, newerURL).Close(); err != nil {
		t.Fatal(err)
	}
	exec(newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)")
	readOnly, readOnlyURL := database(t, server)
	exec("postgres", "ALTER DATABASE "+readOnly+" SET default_transaction_read_only = on")
	poor, poorURL := database(t, server)
	exec("postgres", "CREATE USER guest")
	exec(poor, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")

	for _, c := range []struct {
		name, url string
		code      fault.Code
		says      string
	}{
		{"nobody listens", "postgres://fairway:secret@127.0.0.1:1/fairway", fault.Unavailable, "cannot be reached"},
		{"no such database", strings.Replace(fresh, "/test", "/nothing", 1), fault.NotFound, "does not exist"},
		{"no such user", strings.Replace(fresh, "fairway@", "stranger:secret@", 1), fault.Denied, "does not let Fairway in"},
		{"no URL", "postgres://%zz", fault.Invalid, "cannot be read"},
		{"another program's", foreignURL, fault.Conflict, "belongs to another program"},
		{"a newer Fairway's", newerURL, fault.Conflict, "newer Fairway"},
		{"only to be read", readOnlyURL, fault.Unavailable, "may only be read"},
		{"without rights", strings.Replace(poorURL, "fairway@", "guest@", 1), fault.Denied, "lacks a right"},
	} {
		st, err := store.OpenPostgres(t.Context(), store.PostgresConfig{URL: c.url, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			_ = st.Close()
		}
		if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v (%s), want %q (%s)", c.name, err, fault.CodeOf(err), c.says, c.code)
		}
		if err != nil && strings.Contains(err.Error()+fault.HintOf(err), "secret") {
			t.Errorf("%s: the error tells the password: %v", c.name, err)
		}
	}
}

func TestADatabaseThatHangsHoldsNobodyUpForEver(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	st := openPostgres(t, url)
	addReleaseOf(t, st, "r1", "shop")
	store.SetUpdateLimit(t, time.Second)
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	err := addLine(t.Context(), st, "r1", "while it hung")
	if fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("an update while the database hung: %v, want unavailable", err)
	}
	if err := server.Thaw(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "an update after it", func() bool { return addLine(t.Context(), st, "r1", "after") == nil })
	chain(t, st, "r1")
}

// A failover may leave a server connected to what is now a standby, for a while.
func TestADatabaseThatMayOnlyBeReadIsWaitedFor(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	name, url := database(t, server)
	st := openPostgres(t, url)
	addReleaseOf(t, st, "r1", "shop")
	end := "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fairway'"
	if err := errors.Join(server.Exec("postgres", "ALTER DATABASE "+name+" SET default_transaction_read_only = on"), server.Exec("postgres", end)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a refusal", func() bool {
		err := addLine(t.Context(), st, "r1", "while it was read-only")
		return fault.CodeOf(err) == fault.Unavailable && strings.Contains(err.Error(), "may only be read")
	})
	err := st.Release().View(t.Context(), func(tx release.Tx) error {
		_, err := tx.LoadRun("r1")
		return err
	})
	if err != nil {
		t.Errorf("a view meanwhile: %v", err)
	}
	if err := errors.Join(server.Exec("postgres", "ALTER DATABASE "+name+" RESET default_transaction_read_only"), server.Exec("postgres", end)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "an update after it", func() bool { return addLine(t.Context(), st, "r1", "after") == nil })
}

func TestOneServerHoldsAServicesTurnAndTheOtherLeasesWithoutWaiting(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	one, two := openPostgres(t, url), openPostgres(t, url)
	for _, service := range []string{"shop", "till"} {
		addReleaseOf(t, one, service, service)
		err := one.Drive().Update(t.Context(), func(tx drive.Tx) error {
			return tx.PutTask(drive.TaskRow{ID: service, Release: service, Service: service, Environment: "staging", NotBefore: day})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := one.Drive().Update(t.Context(), func(tx drive.Tx) error {
		if err := tx.Turn("shop"); err != nil {
			return err
		}
		if _, err := tx.LoadRun("shop"); err != nil { // the turn is taken by now
			return err
		}
		return two.Drive().Update(t.Context(), func(tx drive.Tx) error {
			rows, err := tx.LeasableTasks(day, drive.Wanted{})
			if len(rows) != 1 || rows[0].Service != "till" {
				t.Errorf("beside a turn of shop there were %v to lease, want till's", rows)
			}
			return err
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// Who has changed the freezes must see every lane that was decided about before.
func TestWhoChangesFreezesWaitsForWhoDecidesByThem(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	one, two := openPostgres(t, url), openPostgres(t, url)
	changed := make(chan error, 1)
	err := one.Drive().Update(t.Context(), func(tx drive.Tx) error {
		if _, err := tx.Freezes(); err != nil {
			return err
		}
		go func() {
			changed <- two.Drive().Update(t.Context(), func(tx drive.Tx) error {
				return tx.AddFreeze(drive.Freeze{ID: "f", Reason: "audit", From: day})
			})
		}()
		select {
		case err := <-changed:
			t.Errorf("the freeze was added (%v) while a decision by the freezes was open", err)
			changed <- err
		case <-time.After(300 * time.Millisecond): // it waits
		}
		return nil
	})
	if err := errors.Join(err, <-changed); err != nil {
		t.Error(err)
	}
}
