package app

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/cli"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/store"
)

// databaseFile is where a server has its database.
func databaseFile(dataDir string) string { return filepath.Join(dataDir, "fairway.db") }

func backupCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the server's database into a file, also while the server runs",
		Long: `Copy the server's database (SQLite) into a new file, as it is at one instant, and verify
the copy: its pages, and every chain of the ledger. The server may run meanwhile and is
not held up. Run it as the server's user, on its machine. A PostgreSQL is backed up with
its own tools.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := onFile("back it up with pg_dump"); err != nil {
				return err
			}
			found, err := store.Backup(cmd.Context(), databaseFile(dir), args[0])
			if err != nil {
				return err
			}
			return printInventory(cmd.OutOrStdout(), fmt.Sprintf("%s, a copy of %s, has", args[0], databaseFile(dir)), found)
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", cli.DataDir(), "folder of the database (FAIRWAY_DATA_DIR)")
	return cmd
}

func restoreCommand() *cobra.Command {
	var dir string
	var replace bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup into the place of the server's database",
		Long: `Verify a backup and put a copy of it into the place of the server's database. The server
must not run. What is in a write-ahead log beside the backup (FILE-wal, left by a kill) is
restored too. Run it as the server's user, with the server's data folder: what root
restores belongs to the owner of that folder. Releases go on from where the backup was
made: what workers did since is found again by looking at the targets, and a person is
asked where that is not enough.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := onFile("restore it with pg_restore or psql, into an empty database"); err != nil {
				return err
			}
			found, kept, err := store.Restore(cmd.Context(), args[0], databaseFile(dir), replace, time.Now())
			if err != nil {
				return err
			}
			if kept != "" {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "The database that was there is now %s.\n", kept); err != nil {
					return err
				}
			}
			return printInventory(cmd.OutOrStdout(), fmt.Sprintf("The database %s is restored, with", databaseFile(dir)), found)
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", cli.DataDir(), "folder of the database (FAIRWAY_DATA_DIR)")
	cmd.Flags().BoolVar(&replace, "replace", false, "also where there is a database, which is kept beside it")
	return cmd
}

// onFile refuses where a PostgreSQL is the server's database: a file in the data folder is
// then none that anybody goes by.
func onFile(instead string) error {
	if os.Getenv(databaseVariable) == "" {
		return nil
	}
	return fault.Errorf(fault.Conflict, "the server's database is a PostgreSQL, as %s says, and not a file", databaseVariable).
		WithHint("%s (docs/operations.md); where you do mean a file, unset %s", instead, databaseVariable)
}

func printInventory(out io.Writer, begin string, found store.Inventory) error {
	last := "none"
	if !found.Last.IsZero() {
		last = found.Last.UTC().Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(out, "%s %d releases with %d lines of history, the last of %s; all chains are whole (%.1f MB, tables of version %d).\n",
		begin, found.Releases, found.Lines, last, float64(found.Bytes)/1e6, found.Schema)
	return err
}
