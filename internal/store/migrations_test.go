package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// paired is the first of the migrations that both folders have.
const paired = "00008"

// older are migrations that no released version was without.
var older = []string{"00009_entries.sql"}

// harms are what servers of the version before do not survive, or trip over: something they
// use goes, or a row that they write is refused.
var harms = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\bDROP\s+(TABLE|COLUMN|CONSTRAINT|VIEW|SEQUENCE|DEFAULT)\b`),
	regexp.MustCompile(`(?i)\bRENAME\b`),
	regexp.MustCompile(`(?i)\bADD\s+(CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN|EXCLUDE)\b`),
	regexp.MustCompile(`(?i)\bCREATE\s+UNIQUE\s+INDEX\b`),
	regexp.MustCompile(`(?i)\bALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+TYPE|TYPE|SET\s+NOT\s+NULL)\b`),
}

var (
	addsColumn  = regexp.MustCompile(`(?i)\bADD\s+COLUMN\b[^,;]*`)
	notNull     = regexp.MustCompile(`(?i)\bNOT\s+NULL\b`)
	withDefault = regexp.MustCompile(`(?i)\bDEFAULT\b`)
	comment     = regexp.MustCompile(`--[^\n]*`)
	// A migration that takes away says which one its last user came before.
	unused = regexp.MustCompile(`-- Unused since (\d{5})\.`)
)

// harm is the part of the migration that servers of the version before would trip over.
func harm(name, text string) string {
	up, _, _ := strings.Cut(text, "-- +goose Down")
	if since := unused.FindStringSubmatch(up); since != nil && since[1] < name[:5] {
		return ""
	}
	up = comment.ReplaceAllString(up, "")
	for _, h := range harms {
		if found := h.FindString(up); found != "" {
			return found
		}
	}
	for _, column := range addsColumn.FindAllString(up, -1) {
		if notNull.MatchString(column) && !withDefault.MatchString(column) {
			return column
		}
	}
	return ""
}

func readMigrations(t *testing.T, kind string) map[string]string {
	t.Helper()
	files, err := filepath.Glob("migrations/" + kind + "/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("the migrations of %s: %v, %v", kind, files, err)
	}
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = string(text)
	}
	return all
}

// Servers of the version before go on working on the tables that a new one has changed.
func TestMigrationsLetTheServersOfTheVersionBeforeGoOn(t *testing.T) {
	for name, text := range readMigrations(t, "postgres") {
		if found := harm(name, text); found != "" && name[:5] >= paired && !slices.Contains(older, name) {
			t.Errorf("%s does what servers of the version before do not bear: %s", name, found)
		}
	}
}

func TestAMigrationThatWouldHarmIsSeen(t *testing.T) {
	for text, harmful := range map[string]bool{
		`ALTER TABLE tasks ADD COLUMN entry TEXT NOT NULL;`:                                                    true,
		`ALTER TABLE tasks ADD COLUMN entry TEXT NOT NULL DEFAULT '', ADD COLUMN other TEXT NOT NULL;`:         true,
		`ALTER TABLE tasks DROP COLUMN state;`:                                                                 true,
		`ALTER TABLE tasks RENAME COLUMN state TO memory;`:                                                     true,
		`ALTER TABLE tasks ALTER COLUMN fence TYPE TEXT;`:                                                      true,
		`ALTER TABLE tasks DROP CONSTRAINT tasks_pkey; ALTER TABLE tasks ADD PRIMARY KEY (release, entry);`:    true,
		`CREATE UNIQUE INDEX one ON tasks (id);`:                                                               true,
		"-- Unused since 00020.\nALTER TABLE tasks DROP COLUMN state;":                                         true, // itself
		"-- Unused since 00019.\nALTER TABLE tasks DROP COLUMN state;":                                         false,
		`ALTER TABLE tasks ADD COLUMN entry TEXT NOT NULL DEFAULT '';`:                                         false,
		`ALTER TABLE tasks ADD COLUMN entry TEXT;`:                                                             false,
		`CREATE TABLE more (id TEXT PRIMARY KEY, at BIGINT NOT NULL);`:                                         false,
		"-- This does not DROP TABLE tasks.\nCREATE INDEX i ON tasks (id);\n-- +goose Down\nDROP TABLE tasks;": false,
		`DROP INDEX tasks_by_time;`:                                                                            false,
	} {
		if found := harm("00020_x.sql", text); (found != "") != harmful {
			t.Errorf("%s: %q", text, found)
		}
	}
	for _, name := range older {
		if harm(name, readMigrations(t, "postgres")[name]) == "" {
			t.Errorf("%s needs no exception", name)
		}
	}
}

func TestMigrationsComeInPairsAndHaveAWayBack(t *testing.T) {
	folders := map[string]map[string]string{"sqlite": readMigrations(t, "sqlite"), "postgres": readMigrations(t, "postgres")}
	for kind, other := range map[string]string{"sqlite": "postgres", "postgres": "sqlite"} {
		for name, text := range folders[kind] {
			if name[:5] < paired {
				continue
			}
			if _, ok := folders[other][name]; !ok {
				t.Errorf("%s/%s has no %s/%s beside it", kind, name, other, name)
			}
			if !strings.Contains(text, "-- +goose Up") || !strings.Contains(text, "-- +goose Down") && !slices.Contains(older, name) {
				t.Errorf("%s/%s lacks Up or Down", kind, name)
			}
		}
	}
}
