package render

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

// maxFiles bounds what is read from one folder, which may be the wrong one.
const maxFiles = 1000

// endings are those of files with manifests.
var endings = []string{".yaml", ".yml", ".json"}

// readPlain reads one file, or all manifests of a folder and its sub-folders in the
// order of their paths. What begins with a dot is left out. A sub-folder that is a chart
// or a Kustomize folder is a mistake: its files are no manifests, or only parts of some.
func readPlain(where string) ([]manifest.Object, error) {
	folder, files := where, []string(nil)
	if info, err := os.Stat(where); err == nil && !info.IsDir() {
		folder, files = filepath.Dir(where), []string{filepath.Base(where)}
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fault.Errorf(fault.NotFound, "read manifests: %w", err)
	}
	defer func() { _ = root.Close() }() // nothing was written
	if files == nil {
		if files, err = plainFiles(root, where); err != nil {
			return nil, err
		}
	}
	var all []manifest.Object
	for _, file := range files {
		text, err := readText(root, file)
		if err != nil {
			return nil, err
		}
		objects, err := manifest.Read(filepath.Join(folder, filepath.FromSlash(file)), text)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

func plainFiles(root *os.Root, where string) ([]string, error) {
	var files []string
	err := fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fault.Errorf(fault.Invalid, "read %s: %w", filepath.Join(where, name), reason(err))
		case name == ".":
			return nil
		case strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return refuseForms(filepath.Join(where, filepath.FromSlash(name)))
		case slices.Contains(endings, path.Ext(name)):
			files = append(files, name)
		}
		if len(files) > maxFiles {
			return fault.Errorf(fault.Invalid, "%s has more than %d files of YAML", where, maxFiles).
				WithHint("point at the folder with this service's manifests")
		}
		return nil
	})
	return files, err
}

// refuseForms keeps a chart or Kustomize folder from being read as manifests.
func refuseForms(folder string) error {
	kind := ""
	switch {
	case has(folder, "Chart.yaml"):
		kind = "Helm chart"
	case has(folder, kustomizations...):
		kind = "Kustomize folder"
	default:
		return nil
	}
	return fault.Errorf(fault.Invalid, "%s is a %s inside a folder of plain manifests", folder, kind).
		WithHint("point at %s itself, or move it elsewhere", folder)
}

// readText reads a file that is one, of bounded size, and is not led out of the folder.
func readText(root *os.Root, name string) ([]byte, error) {
	full := filepath.Join(root.Name(), filepath.FromSlash(name))
	info, err := root.Stat(filepath.FromSlash(name))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read %s: %w", full, reason(err)).
			WithHint("a link may lead only to what is in the same folder")
	}
	if !info.Mode().IsRegular() {
		return nil, fault.Errorf(fault.Invalid, "%s is not a file", full)
	}
	file, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read %s: %w", full, reason(err))
	}
	defer file.Close()
	// One byte more tells that it is too long.
	text, err := io.ReadAll(io.LimitReader(file, manifest.MaxText+1))
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "read %s: %w", full, reason(err))
	}
	return text, nil
}

// reason is why a file could not be read, without its path, which the message has.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
