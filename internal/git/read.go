package git

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/git/edit"
)

// maxRead bounds what is read at once, in bytes.
const maxRead = 64 << 20

// Snapshot is what a branch says.
type Snapshot struct {
	// Commit is its head.
	Commit string
	// Files are contents by names, relative to the root of the repository, with slashes.
	// Symbolic links and submodules are left out.
	Files map[string][]byte
}

// Head returns the branch's commit without fetching anything: a reader who has it needs
// no Read. A branch that does not exist is fault.NotFound.
func (r Repository) Head(ctx context.Context) (string, error) {
	if err := r.Validate(); err != nil {
		return "", err
	}
	c, err := r.open(ctx)
	if err != nil {
		return "", err
	}
	defer c.close()
	ref := "refs/heads/" + r.Branch
	out, err := c.program.run(ctx, call{remote: true, args: []string{"ls-remote", "--quiet", "origin", ref}})
	if err != nil {
		return "", c.trouble("read from", r.Branch, err)
	}
	for line := range strings.Lines(string(out)) {
		if hash, name, _ := strings.Cut(strings.TrimSpace(line), "\t"); name == ref {
			return hash, nil
		}
	}
	return "", fault.Errorf(fault.NotFound, "%s has no branch %s", r.Name(), r.Branch).
		WithHint("push the branch first, or name another")
}

// Read returns the files at the head of the branch below the given paths, or below that
// of the place if none is given ("." is the whole repository, which a kustomization that
// is made of others may need). A path that does not exist is fault.NotFound; more than
// 64 MiB are fault.Invalid.
func (r Repository) Read(ctx context.Context, paths ...string) (Snapshot, error) {
	if err := r.Validate(); err != nil {
		return Snapshot{}, err
	}
	c, err := r.open(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	defer c.close()
	head, err := c.fetch(ctx, r.Branch)
	if err != nil {
		return Snapshot{}, err
	}
	files, err := c.list(ctx, head)
	if err != nil {
		return Snapshot{}, err
	}
	if len(paths) == 0 {
		paths = []string{r.Place.Path}
	}
	var wanted []string
	for _, p := range paths {
		below := files.below(p)
		if len(below) == 0 {
			return Snapshot{}, fault.Errorf(fault.NotFound, "%s has no %q on %s", r.Name(), p, r.Branch)
		}
		wanted = append(wanted, below...)
	}
	texts, err := files.read(ctx, wanted...)
	return Snapshot{Commit: head, Files: texts}, err
}

// files are those of one commit.
type files struct {
	clone   *clone
	names   []string
	entries map[string]fileEntry
}

type fileEntry struct {
	mode, blob string
	size       int
}

// list finds out which files a commit has.
func (c *clone) list(ctx context.Context, commit string) (*files, error) {
	out, err := c.program.run(ctx, call{args: []string{"ls-tree", "-r", "-l", "-z", "--full-tree", commit}})
	if err != nil {
		return nil, err
	}
	f := &files{clone: c, entries: map[string]fileEntry{}}
	for line := range strings.SplitSeq(string(out), "\x00") {
		about, name, _ := strings.Cut(line, "\t")
		fields := strings.Fields(about) // mode, type, hash, size
		if len(fields) != 4 || !strings.HasPrefix(fields[0], "100") {
			continue
		}
		size, err := strconv.Atoi(fields[3])
		if err != nil {
			return nil, fmt.Errorf("git ls-tree: the size of %s: %w", name, err)
		}
		f.names = append(f.names, name)
		f.entries[name] = fileEntry{mode: fields[0], blob: fields[2], size: size}
	}
	return f, nil
}

// below are the names of a file, or of all files of a folder.
func (f *files) below(p string) []string {
	p = path.Clean(strings.TrimPrefix(p, "/"))
	var names []string
	for _, name := range f.names {
		if p == "." || name == p || strings.HasPrefix(name, p+"/") {
			names = append(names, name)
		}
	}
	return names
}

// read returns the contents of files.
func (f *files) read(ctx context.Context, names ...string) (map[string][]byte, error) {
	total := 0
	var wanted bytes.Buffer
	for _, name := range names {
		total += f.entries[name].size
		fmt.Fprintln(&wanted, f.entries[name].blob)
	}
	if total > maxRead {
		return nil, fault.Errorf(fault.Invalid, "the files to read from %s have %d MiB, and may have %d", f.clone.repository.Name(), total>>20, maxRead>>20).
			WithHint("name the folder that has the manifests as the path")
	}
	out, err := f.clone.program.run(ctx, call{args: []string{"cat-file", "--batch"}, input: wanted.Bytes()})
	if err != nil {
		return nil, err
	}
	texts := make(map[string][]byte, len(names))
	for _, name := range names {
		// A line about the file, its content, and a line break.
		_, rest, found := bytes.Cut(out, []byte("\n"))
		size := f.entries[name].size
		if !found || len(rest) <= size {
			return nil, fmt.Errorf("git cat-file: %s is missing", name)
		}
		texts[name], out = rest[:size:size], rest[size+1:]
	}
	return texts, nil
}

// tree is how package edit sees the files.
func (f *files) tree(ctx context.Context) edit.Tree {
	return edit.Tree{Paths: f.names, Read: func(paths ...string) (map[string][]byte, error) { return f.read(ctx, paths...) }}
}
