package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	files, err := generate("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s differs from the types and comments; run `go generate ./internal/pipeline`:\n%s", name, diff)
		}
	}
}

func TestEveryKeyIsExplained(t *testing.T) {
	c, err := readComments("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sections() {
		if c[s.typ.Name()] == "" {
			t.Errorf("the type %s has no comment", s.typ.Name())
		}
		for _, f := range fieldsOf(s.typ) {
			name := f.goName[strings.LastIndex(f.goName, ".")+1:]
			if !strings.HasPrefix(c[f.goName], name+" ") {
				t.Errorf("the comment of %s does not begin with %q: %q", f.goName, name, c[f.goName])
			}
		}
	}
}

// Every reference in the schema leads somewhere.
func TestSchemaIsWhole(t *testing.T) {
	files, err := generate("..")
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(files["schema.json"], &schema); err != nil {
		t.Fatal(err)
	}
	defs := schema["$defs"].(map[string]any)
	refs := 0
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				refs++
				if defs[strings.TrimPrefix(ref, "#/$defs/")] == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(schema)
	if refs < 10 {
		t.Errorf("the schema has %d references, want at least 10", refs)
	}
}
