package render

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/fairwayhq/fairway/internal/fault"
)

// What a kustomization may name, by its keys.
var (
	// namesAny name files and folders, namesFiles only files.
	namesAny   = []string{"resources", "bases", "components", "generators", "transformers", "validators"}
	namesFiles = []string{"crds", "configurations", "patchesStrategicMerge"}
	// nested hold maps in which the keys of namedWithin name files.
	nested      = []string{"patches", "patchesJson6902", "replacements", "openapi", "configMapGenerator", "secretGenerator"}
	namedWithin = []string{"path", "files", "envs", "env"}
	inflaters   = []string{"helmCharts", "helmChartInflationGenerator"}
)

// deepest bounds how deep the maps and folders of a kustomization lie in each other.
const deepest = 40

// scan walks the files that a kustomization names, before Kustomize does.
type scan struct {
	// within is what no folder may lie outside of; empty allows every folder.
	within string
	seen   map[string]bool
}

// scanKustomize finds what a kustomization names and is not there, lies elsewhere or
// would have to be fetched, and says so with its line.
func scanKustomize(folder, within string) error {
	s := &scan{within: within, seen: map[string]bool{}}
	return s.folder(folder)
}

// named is a path in a kustomization.
type named struct {
	file, folder, path string
	line               int
}

func (n named) fault(format string, args ...any) *fault.Error {
	return fault.Errorf(fault.Invalid, "%s:%d: "+format, append([]any{n.file, n.line}, args...)...)
}

func (s *scan) folder(folder string) error {
	folder = filepath.Clean(folder)
	if s.seen[folder] {
		return nil // a loop is Kustomize's to complain about
	}
	s.seen[folder] = true
	for _, name := range kustomizations {
		file := filepath.Join(folder, name)
		if !has(folder, name) {
			continue
		}
		root, err := parse(file)
		if err != nil {
			return err
		}
		if err := s.kustomization(file, folder, root); err != nil {
			return err
		}
	}
	return nil
}

// parse reads the first document of a YAML file. What holds nothing is an empty node.
func parse(file string) (*yaml.Node, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read %s: %w", file, reason(err)).WithHint("it must be a file that you may read")
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s: this is not YAML: %s", file, strings.TrimPrefix(err.Error(), "yaml: ")).
			WithHint("look at the indentation and the quotes of this line and the one above")
	}
	if len(document.Content) == 0 {
		return &yaml.Node{}, nil
	}
	return document.Content[0], nil
}

func (s *scan) kustomization(file, folder string, root *yaml.Node) error {
	return pairs(root, func(key, value *yaml.Node) error {
		switch name := key.Value; {
		case slices.Contains(inflaters, name):
			return named{file: file, line: key.Line}.fault("%s would fetch a chart", name).
				WithHint("point at the chart itself, or commit what it renders to")
		case slices.Contains(namesAny, name):
			return texts(value, func(text *yaml.Node) error {
				return s.either(name, named{file, folder, text.Value, text.Line})
			})
		case slices.Contains(namesFiles, name):
			return texts(value, func(text *yaml.Node) error {
				return aFile(named{file, folder, text.Value, text.Line})
			})
		case slices.Contains(nested, name):
			return within(value, 0, func(text *yaml.Node) error {
				return aFile(named{file, folder, text.Value, text.Line})
			})
		}
		return nil
	})
}

// either checks what may be a file or a folder.
func (s *scan) either(key string, n named) error {
	if strings.Contains(n.path, "\n") {
		return nil // written out on the spot
	}
	where := n.on()
	info, err := os.Stat(where)
	if err != nil || !info.IsDir() {
		if err := aFile(n); err != nil {
			return err
		}
		if key == "generators" || key == "transformers" || key == "validators" {
			return scanConfig(where)
		}
		return nil
	}
	if s.within != "" {
		if rel, err := filepath.Rel(s.within, where); err != nil || !filepath.IsLocal(rel) {
			return n.fault("%s leads out of the repository", n.path).WithHint("bases must be in the same repository")
		}
	}
	if !has(where, kustomizations...) {
		return n.fault("the folder %s has no kustomization.yaml", n.path).
			WithHint("name its files one by one, or give it a kustomization")
	}
	return s.folder(where)
}

// scanConfig looks into a file that configures a generator or a transformer.
func scanConfig(file string) error {
	root, err := parse(file)
	if err != nil {
		return err
	}
	return within(root, 0, func(text *yaml.Node) error {
		n := named{file: file, path: text.Value, line: text.Line}
		if n.remote() {
			return n.fault("%s would have to be fetched", n.path).WithHint("commit a copy of it and name that")
		}
		return nil
	})
}

// aFile checks that a file is there and in the kustomization's folder.
func aFile(n named) error {
	if strings.Contains(n.path, "\n") || n.path == "" {
		return nil
	}
	if _, err := os.Stat(n.on()); err != nil {
		if n.remote() {
			return n.fault("%s would have to be fetched", n.path).WithHint("commit a copy of it and name that")
		}
		return n.fault("%s is not there", n.path).WithHint("paths are relative to %s", n.folder)
	}
	if rel, err := filepath.Rel(n.folder, n.on()); err != nil || !filepath.IsLocal(rel) {
		return n.fault("%s is outside of the kustomization's folder", n.path).
			WithHint("only folders with a kustomization of their own may be elsewhere; name the folder, or copy the file")
	}
	return nil
}

func (n named) on() string {
	if filepath.IsAbs(n.path) {
		return n.path
	}
	return filepath.Join(n.folder, n.path)
}

// remote tells whether Kustomize would fetch it if no file had that name.
func (n named) remote() bool {
	for _, prefix := range []string{"git@", "git::", "github.com/", "gh:"} {
		if strings.HasPrefix(n.path, prefix) {
			return true
		}
	}
	return strings.Contains(n.path, "://") || strings.Contains(n.path, "?ref=")
}

// pairs calls f with the keys and values of a map.
func pairs(node *yaml.Node, f func(key, value *yaml.Node) error) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if err := f(node.Content[i], node.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// texts calls f with a text, or the texts of a list.
func texts(node *yaml.Node, f func(text *yaml.Node) error) error {
	switch node.Kind {
	case yaml.AliasNode:
		return texts(node.Alias, f)
	case yaml.ScalarNode:
		return f(node)
	case yaml.SequenceNode:
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode {
				continue
			}
			if err := f(item); err != nil {
				return err
			}
		}
	}
	return nil
}

// within calls f with what the keys of namedWithin name, wherever they are in a node.
func within(node *yaml.Node, depth int, f func(text *yaml.Node) error) error {
	if depth > deepest {
		return nil
	}
	switch node.Kind {
	case yaml.AliasNode:
		return within(node.Alias, depth+1, f)
	case yaml.SequenceNode:
		for _, item := range node.Content {
			if err := within(item, depth+1, f); err != nil {
				return err
			}
		}
	case yaml.MappingNode:
		return pairs(node, func(key, value *yaml.Node) error {
			switch {
			case key.Value == "options":
				return nil // labels and annotations, whose keys are anything
			case slices.Contains(namedWithin, key.Value):
				return texts(value, func(text *yaml.Node) error { return f(pathOf(key.Value, text)) })
			}
			return within(value, depth+1, f)
		})
	}
	return nil
}

// pathOf is the path in "KEY=PATH", as files of generators may be written.
func pathOf(key string, text *yaml.Node) *yaml.Node {
	_, path, ok := strings.Cut(text.Value, "=")
	if key != "files" || !ok {
		return text
	}
	only := *text
	only.Value = path
	return &only
}
