package app

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/cli"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/store"
)

// databaseCommands are what a server's database needs now and then.
func databaseCommands() []*cobra.Command { return []*cobra.Command{migrateCommand(), importCommand()} }

// databaseVariable has the URL where the flag is not given.
const databaseVariable = "FAIRWAY_DATABASE"

func addDatabase(cmd *cobra.Command, url *string) {
	cmd.Flags().StringVar(url, "database", "", "URL of a PostgreSQL database, which several servers may share (FAIRWAY_DATABASE)")
	// Not as the flag's default, which --help shows: the URL may have a password.
	cmd.PreRun = func(cmd *cobra.Command, _ []string) {
		if !cmd.Flags().Changed("database") {
			*url = os.Getenv(databaseVariable)
		}
	}
}

func migrateCommand() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring a PostgreSQL database's tables up to date",
		Long: `Bring the tables of a PostgreSQL database up to date, as a server does when it starts.
Done before, by a user who may change tables, it lets the servers run as one who may not.
Servers of the version before go on working on the new tables.`,
		Example: `  fairway server migrate --database postgres://owner@db.internal/fairway`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := openPostgres(cmd, url)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "The database is up to date.")
			return firstOf(err, st.Close())
		},
	}
	addDatabase(cmd, &url)
	return cmd
}

func importCommand() *cobra.Command {
	var url, file string
	var takeBack bool
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Bring what a server kept in a file into a PostgreSQL database",
		Long: `Bring everything that a server kept in its database file into a PostgreSQL database that
is empty: releases where they are, the ledger, samples, users and tokens. Stop the server
first; its workers may go on, and report to the new servers under the old address. The
ledger is verified on both sides, and what does not end well leaves nothing. The file stays;
its tables are brought up to date, and it gets a mark, with which no server starts on it
any more. After an import that was broken off in its last step, run it again, into the same
database: it says so if all is there already. --take-back takes the mark away again, and
does nothing else.`,
		Example: `  fairway server import --from /var/lib/fairway/fairway.db --database postgres://owner@db.internal/fairway`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if takeBack {
				return takeImportBack(cmd, file)
			}
			st, err := openPostgres(cmd, url)
			if err != nil {
				return err
			}
			got, err := st.Import(cmd.Context(), file)
			if err == nil {
				err = printImported(cmd.OutOrStdout(), got)
			}
			return firstOf(store.Ending(err), st.Close())
		},
	}
	addDatabase(cmd, &url)
	cmd.Flags().StringVar(&file, "from", databaseFile(cli.DataDir()), "the database file")
	cmd.Flags().BoolVar(&takeBack, "take-back", false, "let servers go on with the file, which was imported before; those on the other database must be stopped")
	return cmd
}

func printImported(out io.Writer, got store.Imported) (err error) {
	if got.Before {
		_, err = fmt.Fprintf(out, "All of it is there already, %d releases with %d lines of the ledger: the import that was broken off has ended well.\n",
			got.Releases, got.Lines)
		return err
	}
	_, err = fmt.Fprintf(out, "Imported %d releases with %d lines of the ledger, which is whole on both sides (%d rows in all).\n",
		got.Releases, got.Lines, got.Rows)
	return err
}

func takeImportBack(cmd *cobra.Command, file string) error {
	place, err := store.TakeBack(cmd.Context(), file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Servers may go on with %s, which was imported into %s: let none go on there.\n", file, place)
	return err
}

func openPostgres(cmd *cobra.Command, url string) (*store.Postgres, error) {
	if !isPostgres(url) {
		return nil, notPostgres()
	}
	st, err := store.OpenPostgres(cmd.Context(), store.PostgresConfig{URL: url, Log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))})
	return st, store.Ending(err)
}

func notPostgres() error {
	return fault.Errorf(fault.Invalid, "--database is not the URL of a PostgreSQL database").
		WithHint("it has the form postgres://user:password@host:5432/fairway; without it a server keeps everything in a file in --data-dir")
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
