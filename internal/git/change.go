package git

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/git/edit"
)

// Change is an image that the repository is to say from now on, and the release it
// comes from.
type Change struct {
	// Release, Service and Environment are their IDs and names: one line each. Together
	// with the image's digest they are what makes two changes the same one.
	Release, Service, Environment string
	// Image is NAME@sha256:… or NAME:TAG@sha256:….
	Image string
	// Rollback says that the image is the one from before the release.
	Rollback bool
	// Replaces is the image that stands there by a change of before, written as Image is. Where
	// another one stands there by now, it is somebody's, and is left. Empty replaces any.
	Replaces string
}

// Trailers of the commits' messages. A commit that carries all of them, with the values
// of a change, is that change.
const (
	TrailerRelease     = "Fairway-Release"
	TrailerService     = "Fairway-Service"
	TrailerEnvironment = "Fairway-Environment"
	TrailerDigest      = "Fairway-Digest"
)

// parse checks the change, and takes its image apart.
func (c Change) parse() (edit.Ref, error) {
	for _, named := range [][2]string{{"release", c.Release}, {"service", c.Service}, {"environment", c.Environment}} {
		if named[1] == "" || strings.TrimSpace(named[1]) != named[1] || strings.ContainsFunc(named[1], unicode.IsControl) {
			return edit.Ref{}, fault.Errorf(fault.Invalid, "%q is no %s of a change", named[1], named[0])
		}
	}
	if c.Replaces != "" {
		if _, err := edit.ParseImage(c.Replaces); err != nil {
			return edit.Ref{}, err
		}
	}
	return edit.ParseImage(c.Image)
}

// Branch is the branch from which the change is proposed.
func (c Change) Branch() string {
	name := unfit.ReplaceAllString(strings.Join([]string{c.Service, c.Environment, c.Release}, "-"), "-")
	if c.Rollback {
		name += "-rollback"
	}
	return "fairway/" + name
}

// unfit is what a part of a branch's name should not have.
var unfit = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// subject is for people.
func (c Change) subject(image edit.Ref) string {
	what := strings.TrimPrefix(image.Digest, "sha256:")[:12]
	if image.Tag != "" {
		what = image.Tag + " (" + what + ")"
	}
	if c.Rollback {
		return fmt.Sprintf("Take %s back to %s in %s", c.Service, what, c.Environment)
	}
	return fmt.Sprintf("Release %s %s to %s", c.Service, what, c.Environment)
}

// trailers are for programs.
func (c Change) trailers(image edit.Ref) []string {
	return []string{
		TrailerRelease + ": " + c.Release,
		TrailerService + ": " + c.Service,
		TrailerEnvironment + ": " + c.Environment,
		TrailerDigest + ": " + image.Digest,
	}
}

func (c Change) message(image edit.Ref, before string) string {
	return c.subject(image) + "\n\n" + c.body(image, before) + "\n"
}

// body is what follows the subject; of a pull request it is the description.
func (c Change) body(image edit.Ref, before string) string {
	text := "The image is now\n" + image.String()
	if before != "" {
		text += "\n\nBefore, it said\n" + before
	}
	return text + "\n\n" + strings.Join(c.trailers(image), "\n")
}

// isMessage tells whether a commit's message is the one of this change. A person who
// merged it may have added to it.
func (c Change) isMessage(message string, image edit.Ref) bool {
	there := map[string]bool{}
	for line := range strings.Lines(message) {
		there[strings.TrimSpace(line)] = true
	}
	for _, trailer := range c.trailers(image) {
		if !there[trailer] {
			return false
		}
	}
	return true
}
