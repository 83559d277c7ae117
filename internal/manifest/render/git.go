package render

import (
	"bytes"
	"context"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

var wholeHash = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// fetch brings one commit of a repository, and no history, into a temporary folder. The
// caller removes it.
func fetch(ctx context.Context, source Source) (string, error) {
	if err := validateGit(source); err != nil {
		return "", err
	}
	if _, err := exec.LookPath("git"); err != nil {
		return "", fault.Errorf(fault.Invalid, "manifests in a repository need git, which is not on the PATH").
			WithHint("install git, or check the repository out yourself and give a path")
	}
	folder, err := os.MkdirTemp("", "fairway-manifests-")
	if err != nil {
		return "", fault.Errorf(fault.Unavailable, "fetch manifests: %w", err)
	}
	// Kustomize names files by what links lead to.
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		folder = real
	}
	err = checkout(ctx, folder, source)
	if err == nil {
		err = refuseLinks(folder)
	}
	if err != nil {
		os.RemoveAll(folder)
		return "", err
	}
	return folder, nil
}

func validateGit(source Source) error {
	if !wholeHash.MatchString(source.Commit) {
		return fault.Errorf(fault.Invalid, "%q is not the whole hash of a commit", source.Commit).
			WithHint("`git rev-parse HEAD` prints it; a branch or tag may be something else tomorrow")
	}
	if strings.HasPrefix(source.Repository, "-") {
		return fault.Errorf(fault.Invalid, "%q is not a repository", source.Repository)
	}
	for _, path := range append([]string{source.Path}, source.Values...) {
		if !filepath.IsLocal(path) {
			return fault.Errorf(fault.Invalid, "the path %s leads out of the repository", path).
				WithHint("with a repository, paths are relative to its root")
		}
	}
	return nil
}

func checkout(ctx context.Context, folder string, source Source) error {
	steps := [][]string{
		// A template could bring hooks along.
		{"init", "--quiet", "--template=", "."},
		{"fetch", "--quiet", "--depth=1", "--no-tags", "--", repositoryFrom(source.Repository), source.Commit},
		{"checkout", "--quiet", "--detach", source.Commit},
	}
	for _, step := range steps {
		if output, err := git(ctx, folder, step...); err != nil {
			return gitFault(ctx, source, output, err)
		}
	}
	return nil
}

// repositoryFrom makes a path on this machine one that also holds in another folder.
func repositoryFrom(repository string) string {
	if strings.Contains(repository, ":") {
		return repository
	}
	if abs, err := filepath.Abs(repository); err == nil {
		return abs
	}
	return repository
}

func git(ctx context.Context, folder string, args ...string) (string, error) {
	// Line endings stay as they are in the repository, on every machine.
	command := exec.CommandContext(ctx, "git", append([]string{"-c", "core.autocrlf=false"}, args...)...)
	command.Dir = folder
	command.Env = gitEnvironment(os.Environ())
	// Helpers of git may outlive it and hold its output open.
	command.WaitDelay = 5 * time.Second
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	return output.String(), err
}

// gitEnvironment is the user's, so that their credentials work, without what would point
// git at another repository (as in a hook), and with no one to ask for a password.
func gitEnvironment(environment []string) []string {
	var kept []string
	for _, variable := range environment {
		switch name, _, _ := strings.Cut(variable, "="); name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR",
			"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_CEILING_DIRECTORIES":
		default:
			kept = append(kept, variable)
		}
	}
	return append(kept, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=file:git:http:https:ssh")
}

func gitFault(ctx context.Context, source Source, output string, err error) error {
	shown := shownRepository(source.Repository)
	if ctx.Err() != nil {
		return fault.Errorf(fault.Unavailable, "fetch %s: %w", shown, ctx.Err())
	}
	said := strings.TrimSpace(strings.ReplaceAll(output, source.Repository, shown))
	if said == "" {
		said = err.Error()
	}
	switch {
	case strings.Contains(said, "not our ref"), strings.Contains(said, "unadvertised object"):
		return fault.Errorf(fault.NotFound, "%s has no commit %s, or does not give it away", shown, source.Commit).
			WithHint("push the commit to a branch; the server must allow fetching by hash, as most do")
	case strings.Contains(said, "not appear to be a git repository"), strings.Contains(said, "does not exist"):
		return fault.Errorf(fault.NotFound, "%s is no repository: git says: %s", shown, said).
			WithHint("try `git ls-remote %s`", shown)
	}
	return fault.Errorf(fault.Unavailable, "fetch %s: git says: %s", shown, said).
		WithHint("try `git ls-remote %s`; git uses your own credentials and asks for none", shown)
}

// shownRepository is the repository without a password in its URL.
func shownRepository(repository string) string {
	if u, err := url.Parse(repository); err == nil && u.User != nil {
		return u.Redacted()
	}
	return repository
}

// refuseLinks refuses a checkout with links that lead out of it: whoever writes to the
// repository must not read this machine's files.
func refuseLinks(folder string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fault.Errorf(fault.Unavailable, "read the repository: %w", err)
		case entry.IsDir() && entry.Name() == ".git":
			return fs.SkipDir
		case entry.Type()&fs.ModeSymlink == 0:
			return nil
		}
		name, _ := filepath.Rel(folder, path)
		to, err := filepath.EvalSymlinks(path)
		if err != nil {
			// What it leads to is not there, so nothing can be read by it.
			return nil
		}
		if rel, err := filepath.Rel(folder, to); err != nil || !filepath.IsLocal(rel) {
			return fault.Errorf(fault.Invalid, "%s of the repository is a link that leads out of it", name).
				WithHint("put a copy of the file in its place")
		}
		return nil
	})
}
