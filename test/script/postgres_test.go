package script

import (
	"os"

	"github.com/fairwayhq/fairway/test/postgres"
)

// postgres start | kill | restart: the story's PostgreSQL; the URL of an empty database
// is in DATABASE.
func postgresCommand(ts *script, _ bool, args []string) {
	s := of(ts)
	switch {
	case len(args) == 1 && args[0] == "start":
		dir, err := os.MkdirTemp("", "fairway-postgres-")
		ts.Check(err)
		ts.Defer(func() { _ = os.RemoveAll(dir) })
		s.postgres, err = postgres.Start(dir)
		ts.Check(err)
		ts.Defer(s.postgres.Stop)
		url, err := s.postgres.Create("fairway")
		ts.Check(err)
		ts.Setenv("DATABASE", url)
	case len(args) == 1 && args[0] == "kill" && s.postgres != nil:
		ts.Check(s.postgres.Kill())
	case len(args) == 1 && args[0] == "restart" && s.postgres != nil:
		ts.Check(s.postgres.Restart())
	default:
		ts.Fatalf("usage: postgres start | kill | restart")
	}
}
