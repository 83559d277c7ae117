package git

import (
	"errors"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// trouble says what a failed conversation with the other side means.
func (c *clone) trouble(verb, branch string, err error) error {
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	said := essence(f.said)
	what := verb + " " + c.repository.Name()
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(strings.ToLower(f.said), w) {
				return true
			}
		}
		return false
	}
	switch {
	case f.said == "":
		return fault.Errorf(fault.Unavailable, "%s: %w", what, f)
	case has("couldn't find remote ref"):
		return fault.Errorf(fault.NotFound, "%s has no branch %s", c.repository.Name(), branch).
			WithHint("push the branch first, or name another")
	case has("could not read username", "could not read password", "authentication failed", "permission denied", "returned error: 401", "returned error: 403",
		"host key verification failed", "access denied", "dubious ownership"):
		return fault.Errorf(fault.Denied, "%s: %s", what, said).
			WithHint("give the worker credentials: a token reference, an SSH key whose host is known, or a credential helper")
	case has("not found", "does not appear to be a git repository", "does not exist", "no such file or directory", "repository not exported"):
		return fault.Errorf(fault.NotFound, "%s: %s", what, said).
			WithHint("see that the URL is right, and that the worker's credentials may read it; many hosts hide what one may not read")
	case has("transport 'ext' not allowed", "transport '"):
		return fault.Errorf(fault.Invalid, "%s: %s", what, said)
	case has("shallow update not allowed"):
		return fault.Errorf(fault.Invalid, "%s: %s", what, said)
	}
	return fault.Errorf(fault.Unavailable, "%s: %s", what, said)
}

// essence is what git said, in one line and without its advice.
func essence(said string) string {
	var lines []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "hint:") || strings.HasPrefix(line, "warning:") {
			continue
		}
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(line, "fatal:"), "error:"))
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

// remoteWords are what the other side says itself, such as a hook about its refusal.
func remoteWords(err error) string {
	var f *failure
	if !errors.As(err, &f) {
		return ""
	}
	var lines []string
	for line := range strings.Lines(f.said) {
		if words, ok := strings.CutPrefix(line, "remote:"); ok {
			if words = strings.TrimSpace(words); words != "" {
				lines = append(lines, words)
			}
		}
	}
	return strings.Join(lines, "; ")
}
