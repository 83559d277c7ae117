package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestTheDocumentIsStable(t *testing.T) {
	const golden = "testdata/openapi.json"
	got := OpenAPI()
	if again := OpenAPI(); !bytes.Equal(got, again) {
		t.Fatal("two calls give two documents")
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the document differs from %s; look at the difference and run `go test ./internal/api -update`", golden)
	}
}

// document is the part of an OpenAPI document that the test looks at.
type document struct {
	OpenAPI    string                                `json:"openapi"`
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas         map[string]json.RawMessage `json:"schemas"`
		SecuritySchemes map[string]json.RawMessage `json:"securitySchemes"`
	} `json:"components"`
}

func TestTheDocumentIsWhole(t *testing.T) {
	raw := OpenAPI()
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	if d.OpenAPI != "3.1.0" {
		t.Errorf("openapi = %q, want 3.1.0", d.OpenAPI)
	}
	ids := map[string]string{}
	for template, methods := range d.Paths {
		for method, raw := range methods {
			path := template
			var op struct {
				OperationID string                      `json:"operationId"`
				Summary     string                      `json:"summary"`
				Tags        []string                    `json:"tags"`
				Responses   map[string]json.RawMessage  `json:"responses"`
				Parameters  []struct{ Name, In string } `json:"parameters"`
			}
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatal(err)
			}
			route := method + " " + path
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 || len(op.Responses) == 0 {
				t.Errorf("%s lacks an ID, a summary, its tag or its responses", route)
			}
			if other, ok := ids[op.OperationID]; ok {
				t.Errorf("%s and %s have the same ID %s", route, other, op.OperationID)
			}
			ids[op.OperationID] = route
			for _, p := range op.Parameters {
				if p.In == "path" && !strings.Contains(path, "{"+p.Name+"}") {
					t.Errorf("%s has a path parameter %s that is not in its path", route, p.Name)
				}
				path = strings.ReplaceAll(path, "{"+p.Name+"}", "x")
			}
			if strings.Contains(path, "{") {
				t.Errorf("%s does not describe all its path parameters", route)
			}
		}
	}
	for _, ref := range references(t, raw) {
		name, ok := strings.CutPrefix(ref, "#/components/schemas/")
		if _, there := d.Components.Schemas[name]; !ok || !there {
			t.Errorf("the reference %s leads nowhere", ref)
		}
	}
	for _, name := range []string{"Release", "ReleaseDetail", "Event", "Point", "Problem", "Freeze", "Plan", "Run"} {
		if _, ok := d.Components.Schemas[name]; !ok {
			t.Errorf("there is no schema %s", name)
		}
	}
}

// references returns every $ref of the document.
func references(t *testing.T, raw []byte) []string {
	t.Helper()
	var refs []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, below := range v {
				if ref, ok := below.(string); ok && k == "$ref" {
					refs = append(refs, ref)
				}
				walk(below)
			}
		case []any:
			for _, below := range v {
				walk(below)
			}
		}
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	walk(v)
	if len(refs) == 0 {
		t.Fatal("the document has no references")
	}
	return refs
}

// The routes that package client names are the contract; each must be served.
func TestEveryRouteOfTheContractIsDocumented(t *testing.T) {
	var d document
	if err := json.Unmarshal(OpenAPI(), &d); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("client/client.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, line := range strings.Split(string(source), "\n") {
		words := strings.Fields(strings.NewReplacer("//", " ", ",", " ").Replace(line))
		for i, word := range words {
			if i+1 >= len(words) || !strings.HasPrefix(words[i+1], "/v1/") {
				continue
			}
			path, _, _ := strings.Cut(words[i+1], "?")
			if _, ok := d.Paths[path][strings.ToLower(word)]; !ok {
				t.Errorf("%s %s is not in the document", word, path)
			}
			found++
		}
	}
	if found < 28 {
		t.Errorf("only %d routes found in client.go", found)
	}
}
