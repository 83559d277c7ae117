package git

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/process"
)

// depth is how many commits of a branch are fetched, and so how far back a change that
// was overwritten is still known.
const depth = 50

// clone is a bare repository of one call. There is no working tree: neither filters nor
// hooks nor symbolic links of the repository can do anything here, and files stay byte
// for byte what they are.
type clone struct {
	repository Repository
	program    *program
	dir        string
	unlock     func()
}

// open makes an empty clone, and removes those that nobody uses any more.
func (r Repository) open(ctx context.Context) (*clone, error) {
	c := &clone{repository: r}
	if err := c.makeFolder(ctx); err != nil {
		return nil, fault.Errorf(fault.Unavailable, "make a folder for a clone of %s: %w", r.Name(), err)
	}
	p, err := newProgram(r, c.dir)
	if err == nil {
		c.program = p
		_, err = p.run(ctx, call{args: []string{"init", "--quiet", "--bare", "--template=", "."}})
	}
	if err == nil {
		err = p.learnSSH(ctx)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// makeFolder makes a folder whose lock says that it is in use.
func (c *clone) makeFolder(ctx context.Context) error {
	parent := c.repository.Dir
	if parent == "" {
		dir, err := os.MkdirTemp("", "fairway-git-")
		c.dir, c.unlock = dir, func() {}
		return err
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	// Under the lock of the parent, a new folder is not taken for one that was left.
	unlock, err := process.WaitLock(ctx, filepath.Join(parent, "lock"), syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	removeLeft(parent)
	if c.dir, err = os.MkdirTemp(parent, "clone-"); err != nil {
		return err
	}
	c.unlock, err = process.TryLock(filepath.Join(c.dir, "fairway.lock"), syscall.LOCK_EX)
	return err
}

// removeLeft removes the clones of calls that were killed.
func removeLeft(parent string) {
	folders, _ := filepath.Glob(filepath.Join(parent, "clone-*"))
	for _, dir := range folders {
		if unlock, err := process.TryLock(filepath.Join(dir, "fairway.lock"), syscall.LOCK_EX); err == nil {
			_ = os.RemoveAll(dir)
			unlock()
		}
	}
}

func (c *clone) close() {
	_ = os.RemoveAll(c.dir)
	c.unlock()
}

// fetch gets the last commits of a branch, and returns its head.
func (c *clone) fetch(ctx context.Context, branch string) (head string, err error) {
	local := "refs/remotes/origin/" + branch
	_, err = c.program.run(ctx, call{remote: true, args: []string{
		"fetch", "--quiet", "--no-tags", "--no-recurse-submodules", fmt.Sprintf("--depth=%d", depth), "origin", "+refs/heads/" + branch + ":" + local,
	}})
	if err != nil {
		return "", c.trouble("fetch from", branch, err)
	}
	out, err := c.program.run(ctx, call{args: []string{"rev-parse", "--verify", local + "^{commit}"}})
	return strings.TrimSpace(string(out)), err
}

// find returns the newest commit whose message is wanted, or none.
func (c *clone) find(ctx context.Context, head string, wanted func(message string) bool) (string, error) {
	out, err := c.program.run(ctx, call{args: []string{"log", "-z", "--format=%H%n%B", head}})
	if err != nil {
		return "", err
	}
	for commit := range bytes.SplitSeq(out, []byte{0}) {
		hash, message, _ := strings.Cut(string(commit), "\n")
		if wanted(message) {
			return hash, nil
		}
	}
	return "", nil
}

// write makes a commit of a parent and new contents of files that it has.
func (c *clone) write(ctx context.Context, parent string, files *files, changed map[string][]byte, message string) (string, error) {
	if _, err := c.program.run(ctx, call{args: []string{"read-tree", parent}}); err != nil {
		return "", err
	}
	for name, text := range changed {
		blob, err := c.program.run(ctx, call{args: []string{"hash-object", "-w", "--stdin"}, input: text})
		if err != nil {
			return "", err
		}
		line := fmt.Sprintf("%s %s\t%s\x00", files.entries[name].mode, bytes.TrimSpace(blob), name)
		if _, err := c.program.run(ctx, call{args: []string{"update-index", "-z", "--index-info"}, input: []byte(line)}); err != nil {
			return "", err
		}
	}
	tree, err := c.program.run(ctx, call{args: []string{"write-tree"}})
	if err != nil {
		return "", err
	}
	commit, err := c.program.run(ctx, call{
		args:  []string{"commit-tree", string(bytes.TrimSpace(tree)), "-p", parent, "-F", "-"},
		input: []byte(message),
	})
	return string(bytes.TrimSpace(commit)), err
}

// push makes a commit the head of a branch, or returns errMoved if that is not where the
// commit comes from.
func (c *clone) push(ctx context.Context, commit, branch string) error {
	out, err := c.program.run(ctx, call{remote: true, args: []string{
		"push", "--porcelain", "--no-verify", "--no-follow-tags", "origin", commit + ":refs/heads/" + branch,
	}})
	if err == nil {
		return nil
	}
	// A line per branch: flag, from and to, and what is said about it.
	for line := range strings.Lines(string(out)) {
		if fields := strings.SplitN(strings.TrimSpace(line), "\t", 3); len(fields) == 3 && fields[0] == "!" {
			return c.refused(branch, fields[2], err)
		}
	}
	return c.trouble("push to", branch, err)
}

// moved are git's words for a push that was overtaken: seen before it was sent, or by
// the other side only, where two arrive at once.
var moved = []string{
	"(fetch first)", "(non-fast-forward)", "(stale info)", "(already exists)",
	"cannot lock ref", "failed to update ref", "incorrect old value", "reference already exists", "failed to lock",
}

func (c *clone) refused(branch, summary string, err error) error {
	for _, words := range moved {
		if strings.Contains(summary, words) {
			return errMoved
		}
	}
	summary = strings.TrimPrefix(summary, "[remote rejected] ")
	said := remoteWords(err)
	if said != "" {
		said = ": " + said
	}
	return fault.Errorf(fault.Denied, "%s refused the push to %s %s%s", c.repository.Name(), branch, summary, said).
		WithHint("let the worker's identity push to the branch, or let it open pull requests instead")
}
