// Package internal tests how the rooms hang together: that imports follow the
// arrow that ARCHITECTURE.md draws.
package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const module = "github.com/fairwayhq/fairway/"

// The arrow is written down once, as depguard's rules in .golangci.yml. This test
// reads it there, so that an import against it is found without the linter too.
func TestImportsFollowTheArrow(t *testing.T) {
	allowed := readArrow(t)
	for folder, imports := range readImports(t) {
		may, ok := allowed[folder]
		switch {
		case folder == "internal/app":
			// where the rooms meet
		case !ok:
			t.Errorf("no rule in .golangci.yml says what %s may import; write one, and a line in ARCHITECTURE.md", folder)
		default:
			for _, i := range imports {
				if !slices.Contains(may, i) {
					t.Errorf("%s imports %s, which is against the arrow; see ARCHITECTURE.md", folder, i)
				}
			}
		}
	}
}

func TestRulesAreAboutRoomsThatExist(t *testing.T) {
	imports := readImports(t)
	for folder, may := range readArrow(t) {
		if _, ok := imports[folder]; strings.HasPrefix(folder, "internal/") && !ok {
			t.Errorf(".golangci.yml has a rule for %s, which has no Go files", folder)
		}
		for _, m := range may {
			if _, ok := imports[m]; !ok {
				t.Errorf(".golangci.yml lets %s import %s, which does not exist", folder, m)
			}
		}
	}
}

// What the house stands on; a rule that lets go of one of these is a change of the
// design, not of a list.
func TestTheArrowKeepsItsPromises(t *testing.T) {
	arrow := readArrow(t)
	for _, pure := range []string{"internal/judge", "internal/pipeline"} {
		if may, ok := arrow[pure]; !ok || !slices.Equal(may, []string{"internal/fault"}) {
			t.Errorf("%s may import %v; it is pure, and may import internal/fault only", pure, may)
		}
	}
	for folder, may := range arrow {
		if slices.Contains(may, "internal/store") {
			t.Errorf("%s may import internal/store; only internal/app may", folder)
		}
		if slices.Contains(may, "internal/app") && folder != "cmd/fairway" {
			t.Errorf("%s may import internal/app; only cmd/fairway may", folder)
		}
	}
}

// The table in ARCHITECTURE.md is the same list, for those who read and do not lint.
func TestTheDocumentDrawsTheSameArrow(t *testing.T) {
	drawn := readDrawnArrow(t)
	for folder, may := range readArrow(t) {
		may = slices.DeleteFunc(slices.Clone(may), func(m string) bool { return m == "internal/fault" || m == folder })
		slices.Sort(may)
		switch said, ok := drawn[folder]; {
		case folder == "cmd/fairway" || strings.HasSuffix(folder, "/gen") || strings.HasSuffix(folder, "test"):
			// the program itself, what only writes files of its room, and what only tests use
		case !ok:
			t.Errorf("ARCHITECTURE.md has no row about what %s may import", folder)
		case !slices.Equal(said, may):
			t.Errorf("ARCHITECTURE.md says that %s may import %v, the rule says %v", folder, said, may)
		}
	}
}

// readDrawnArrow reads the table of ARCHITECTURE.md: for each folder, apart from fault, what
// it may import, in order.
func readDrawnArrow(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| room | may import |\n|---|---|\n")
	if !found {
		t.Fatal("ARCHITECTURE.md has no table of rooms and what they may import")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	drawn := map[string][]string{}
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if len(cells) != 4 {
			t.Fatalf("the row %q does not have two cells", row)
		}
		may := []string{}
		for _, room := range roomsIn(cells[2]) {
			if room != "internal/fault" {
				may = append(may, room)
			}
		}
		slices.Sort(may)
		for _, room := range roomsIn(cells[1]) {
			drawn[room] = may
		}
	}
	return drawn
}

var quoted = regexp.MustCompile("`([a-z0-9/]+)`")

// roomsIn are the folders of the rooms that a text names.
func roomsIn(text string) (folders []string) {
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		switch room := m[1]; room {
		case "web":
			folders = append(folders, room)
		case "examples":
			folders = append(folders, "examples/shop")
		default:
			folders = append(folders, "internal/"+room)
		}
	}
	return folders
}

// readArrow returns what each folder may import of the project.
func readArrow(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]struct {
						Files, Allow []string
						Deny         []struct{ Pkg, Desc string }
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	arrow := map[string][]string{}
	for name, rule := range config.Linters.Settings.Depguard.Rules {
		if len(rule.Deny) != 1 || rule.Deny[0].Pkg+"/" != module {
			t.Errorf("the rule %s does not deny the rest of the project", name)
		}
		var may []string
		for _, pkg := range rule.Allow {
			exact, ok := strings.CutSuffix(pkg, "$")
			if !ok {
				t.Errorf("the rule %s allows everything that begins with %s; end it with $", name, pkg)
			}
			may = append(may, strings.TrimPrefix(exact, module))
		}
		for _, pattern := range rule.Files {
			if pattern == "!$test" {
				continue
			}
			for _, folder := range foldersOf(t, pattern) {
				arrow[folder] = may
			}
		}
	}
	if len(arrow) < 20 {
		t.Fatalf("only %d folders have a rule: %v", len(arrow), arrow)
	}
	return arrow
}

// foldersOf finds the folders that a pattern like **/internal/judge/*.go means.
func foldersOf(t *testing.T, pattern string) []string {
	t.Helper()
	rest, ok := strings.CutPrefix(pattern, "**/")
	folder, star := path.Split(rest)
	if !ok || star != "*.go" {
		t.Fatalf("the pattern %q is not like **/folder/*.go", pattern)
	}
	matches, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(folder)))
	if err != nil || len(matches) == 0 {
		t.Fatalf("the pattern %q means no folder: %v", pattern, err)
	}
	var folders []string
	for _, m := range matches {
		if about, err := os.Stat(m); err == nil && about.IsDir() {
			folders = append(folders, filepath.ToSlash(strings.TrimPrefix(filepath.Clean(m), ".."+string(filepath.Separator))))
		}
	}
	return folders
}

// readImports returns what the product code of each folder imports of the project.
func readImports(t *testing.T) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	for _, top := range []string{"cmd", "internal", "examples", "web"} {
		err := filepath.WalkDir(filepath.Join("..", top), func(file string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata"):
				return fs.SkipDir
			case d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
				return nil
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			folder := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(file), ".."+string(filepath.Separator)))
			imports[folder] = append(imports[folder], ofProject(t, parsed.Imports)...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return imports
}

func ofProject(t *testing.T, specs []*ast.ImportSpec) []string {
	t.Helper()
	var found []string
	for _, s := range specs {
		name, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if rest, ok := strings.CutPrefix(name, module); ok {
			found = append(found, rest)
		}
	}
	return found
}
