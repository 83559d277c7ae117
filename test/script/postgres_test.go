package script

import (
	"os"

	"github.com/fairwayhq/fairway/test/postgres"
)

// postgres start | kill | restart | move: the story's PostgreSQL; the URL of an empty database
// is in DATABASE. By move that is restored in a new PostgreSQL, and the old one is gone.
func postgresCommand(ts *script, _ bool, args []string) {
	s := of(ts)
	switch {
	case len(args) == 1 && args[0] == "start":
		s.postgres = startPostgres(ts)
	case len(args) == 1 && args[0] == "move" && s.postgres != nil:
		from := s.postgres
		s.postgres = startPostgres(ts)
		ts.Check(from.CopyTo(s.postgres, databaseName, databaseName))
		from.Stop()
	case len(args) == 1 && args[0] == "kill" && s.postgres != nil:
		ts.Check(s.postgres.Kill())
	case len(args) == 1 && args[0] == "restart" && s.postgres != nil:
		ts.Check(s.postgres.Restart())
	default:
		ts.Fatalf("usage: postgres start | kill | restart | move")
	}
}

const databaseName = "fairway"

func startPostgres(ts *script) *postgres.Server {
	dir, err := os.MkdirTemp("", "fairway-postgres-")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	server, err := postgres.Start(dir)
	ts.Check(err)
	ts.Defer(server.Stop)
	url, err := server.Create(databaseName)
	ts.Check(err)
	ts.Setenv("DATABASE", url)
	return server
}
