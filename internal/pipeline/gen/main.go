// Command gen writes what is made from the types of a fairway.yaml: the JSON Schema
// that package pipeline embeds, and the reference in docs. The struct tags say what
// is allowed, the comments of the fields are the manual.
//
//	go generate ./internal/pipeline
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// write makes both files; folder is that of package pipeline.
func write(folder string) error {
	files, err := generate(folder)
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the files by their paths relative to the folder.
func generate(folder string) (map[string][]byte, error) {
	comments, err := readComments(folder)
	if err != nil {
		return nil, err
	}
	schema, err := makeSchema(comments)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"schema.json": schema,
		filepath.Join("..", "..", "docs", "reference", "fairway-yaml.md"): makeReference(comments),
	}, nil
}
