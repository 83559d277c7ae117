package deploy

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/app"
	"github.com/fairwayhq/fairway/test/postgres"
)

// The commands of docs/operations.md, as they stand there, on PostgreSQLs in which the roles that
// they make may do no more than what the guide grants them.
func TestTheGuideMakesFillsAndRestoresADatabase(t *testing.T) {
	guide := guideOf(t)
	guide.administer(t)
	guide.run(t, "createuser fairway")
	guide.run(t, "createdb --owner fairway fairway")
	guide.run(t, "createuser fairway_server")
	guide.migrate(t)
	for _, grant := range []string{
		"GRANT USAGE ON SCHEMA", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES", "GRANT USAGE ON ALL SEQUENCES",
		"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT", "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE",
	} {
		guide.sql(t, grant)
	}

	folder, release := t.TempDir(), ""
	t.Run("the servers' own role", func(t *testing.T) {
		_, c := serverOn(t, folder, guide.url("fairway_server", "fairway"))
		release = ship(t, c)
	})
	guide.run(t, "pg_dump -Fc")
	restored := func(t *testing.T) {
		guide.run(t, "createdb --owner fairway fairway_restored")
		guide.run(t, "pg_restore --no-owner")
		for _, role := range []string{"fairway_server", "fairway"} {
			t.Run(role, func(t *testing.T) {
				_, c := serverOn(t, folder, guide.url(role, "fairway_restored"))
				if v, err := c.Verify(t.Context(), release); err != nil || !v.OK || v.Lines == 0 {
					t.Errorf("the history of release %s: %+v, %v", release, v, err)
				}
				ship(t, c)
			})
		}
	}
	t.Run("restored in the same cluster", restored)
	guide.Server = postgres.ForTest(t, "fsync=off")
	guide.administer(t)
	guide.run(t, "createuser fairway")
	guide.run(t, "createuser fairway_server")
	t.Run("restored in another cluster", restored)
}

// guide are the pages' commands about a PostgreSQL.
type guide struct {
	*postgres.Server
	text   string
	backup string // the folder of backups
}

func guideOf(t *testing.T) *guide {
	t.Helper()
	for _, tool := range []string{"createuser", "createdb", "pg_dump", "pg_restore", "psql"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s on this machine", tool)
		}
	}
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	return &guide{postgres.ForTest(t, "fsync=off"), string(text), t.TempDir()}
}

// administer renames the superuser, whose name is that of the role that the guide makes.
func (g *guide) administer(t *testing.T) {
	t.Helper()
	if err := g.Exec("postgres", "CREATE ROLE other SUPERUSER LOGIN"); err != nil {
		t.Fatal(err)
	}
	g.shell(t, "psql -q -d "+g.url("other", "postgres")+" -c 'ALTER ROLE fairway RENAME TO postgres'")
}

// command is what the guide tells to do that begins so: a line of its own, or within one.
func (g *guide) command(t *testing.T, begins string) string {
	t.Helper()
	for line := range strings.Lines(g.text) {
		if code, ok := strings.CutPrefix(line, "    "); ok && strings.HasPrefix(code, begins) {
			return strings.TrimSpace(code)
		}
	}
	if _, after, ok := strings.Cut(g.text, "`"+begins); ok {
		rest, _, _ := strings.Cut(after, "`")
		return begins + rest
	}
	t.Fatalf("docs/operations.md does not tell to %s", begins)
	return ""
}

// run runs a command of the guide as the database's administrator does.
func (g *guide) run(t *testing.T, begins string) {
	t.Helper()
	at, err := url.Parse(g.URL("fairway"))
	if err != nil {
		t.Fatal(err)
	}
	command := strings.NewReplacer("@db.internal/", "@"+at.Host+"/", "/backup/", g.backup+"/").Replace(g.command(t, begins))
	if backup, rest, ok := strings.Cut(command, "/fairway-2"); ok { // a backup of some day
		_, rest, _ = strings.Cut(rest, ".")
		found, _ := filepath.Glob(filepath.Join(g.backup, "*."+rest))
		if len(found) != 1 {
			t.Fatalf("%s is not what has been backed up: %v", command, found)
		}
		command = strings.TrimSuffix(backup, g.backup) + found[0]
	}
	g.shell(t, command)
}

// sql runs a statement of the guide as the owner of the database.
func (g *guide) sql(t *testing.T, begins string) {
	t.Helper()
	g.shell(t, fmt.Sprintf("psql -q -v ON_ERROR_STOP=1 -d %s -c '%s'", g.url("fairway", "fairway"), g.command(t, begins)))
}

func (g *guide) shell(t *testing.T, command string) {
	t.Helper()
	at, err := url.Parse(g.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", command)
	cmd.Env = append(os.Environ(), "PGHOST="+at.Hostname(), "PGPORT="+at.Port(), "PGUSER=postgres")
	if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
		t.Fatalf("%s: %v\n%s", command, err, said)
	}
}

func (g *guide) url(role, database string) string {
	return strings.Replace(g.URL(database), "//fairway@", "//"+role+"@", 1)
}

func (g *guide) migrate(t *testing.T) {
	t.Helper()
	for _, c := range app.Commands() {
		if c.Name() == "server" {
			c.SetArgs([]string{"migrate", "--database", g.url("fairway", "fairway")})
			if err := c.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("there is no fairway server")
}

// ship makes a release, and returns its ID.
func ship(t *testing.T, c *client.Client) string {
	t.Helper()
	d, err := c.Create(t.Context(), client.NewRelease{
		Definition: "service: shop\nhost: {run: ./shop, listen: \"127.0.0.1:17300\"}\nenvironments:\n  - name: production\n    stages: [deploy]\n",
		Artifact:   "/srv/shop", Digest: "sha256:" + strings.Repeat("ab", 32), Version: "v1",
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	return d.ID
}
