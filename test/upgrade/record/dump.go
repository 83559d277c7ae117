package main

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// keep writes the recording.
func (r *recorder) keep() error {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	text, err := dump(filepath.Join(dir, "data", "fairway.db"))
	if err != nil {
		return err
	}
	packed, err := pack(text)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.out, "database.sql.gz"), packed, 0o644); err != nil {
		return err
	}
	table, err := os.ReadFile(filepath.Join(dir, "data", "router", "table.json"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "table.json"), table, 0o644)
}

func pack(text string) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// private tables are kept without their rows.
var private = []string{"users", "tokens", "sessions", "idempotency"}

const selectTables = `SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, name`

// dump writes a database as SQL that makes it again.
func dump(file string) (text string, err error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.Query(selectTables)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var names []string
	var out strings.Builder
	for rows.Next() {
		var name, create string
		if err := rows.Scan(&name, &create); err != nil {
			return "", err
		}
		out.WriteString(create + ";\n")
		if strings.HasPrefix(create, "CREATE TABLE") && !slices.Contains(private, name) {
			names = append(names, name)
		}
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	for _, name := range names {
		if err := dumpRows(&out, db, name); err != nil {
			return "", fmt.Errorf("table %s: %w", name, err)
		}
	}
	return out.String(), nil
}

func dumpRows(out *strings.Builder, db *sql.DB, table string) error {
	rows, err := db.Query("SELECT * FROM " + table)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = quoted(v)
		}
		fmt.Fprintf(out, "INSERT INTO %s VALUES (%s);\n", table, strings.Join(texts, ", "))
	}
	return rows.Err()
}

func quoted(value any) string {
	switch v := value.(type) {
	case nil:
		return "NULL"
	case []byte:
		return "X'" + hex.EncodeToString(v) + "'"
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case time.Time:
		return "'" + v.UTC().Format(time.DateTime) + "'"
	}
	return fmt.Sprint(value)
}
