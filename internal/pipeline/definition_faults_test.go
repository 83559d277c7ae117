package pipeline_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

var update = flag.Bool("update", false, "write the golden files of this package anew")

// Each testdata/faults/*.txtar holds definitions and what is printed about them:
// "NAME.yaml" and, directly after it, "NAME.out". A file without faults prints nothing.
func TestFaultsAreGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/faults: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden := map[string]string{}
		for _, f := range archive.Files {
			golden[f.Name] = string(f.Data)
		}
		out := &txtar.Archive{Comment: archive.Comment}
		for _, f := range archive.Files {
			name, isCase := strings.CutSuffix(f.Name, ".yaml")
			if !isCase {
				continue
			}
			printed := ""
			if _, faults := pipeline.Parse(f.Name, f.Data); len(faults) > 0 {
				printed = faults.Error() + "\n"
			}
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+name, func(t *testing.T) {
				if diff := cmp.Diff(golden[name+".out"], printed); diff != "" && !*update {
					t.Errorf("the faults differ (-want +got); run with -update if they are right:\n%s", diff)
				}
			})
			out.Files = append(out.Files, f, txtar.File{Name: name + ".out", Data: []byte(printed)})
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFaultsAreAnInvalidFault(t *testing.T) {
	_, faults := pipeline.Parse("fairway.yaml", []byte("service: shop\n"))
	var err error = faults
	if got := fault.CodeOf(err); got != fault.Invalid {
		t.Errorf("CodeOf is %q, want %q", got, fault.Invalid)
	}
	if got := fault.MessageOf(err); !strings.Contains(got, `"environments" is missing`) {
		t.Errorf("the message does not name the fault: %s", got)
	}
	if errors.Is(err, os.ErrNotExist) {
		t.Error("the faults claim to be another error")
	}
}

func TestFaultsAreJSON(t *testing.T) {
	_, faults := pipeline.Parse("fairway.yaml", []byte("service: shop\nenviroments: []\n"))
	b, err := json.Marshal(faults)
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"file": "fairway.yaml", "line": 2.0, "column": 1.0, "source": "enviroments: []",
		"message": `unknown key "enviroments"`, "hint": `did you mean "environments"?`,
	}
	if len(got) != 1 || !cmp.Equal(got[0], want) {
		t.Errorf("got %v, want only %v", got, want)
	}
}
