package edit

import (
	"regexp"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Ref names an image by its content.
type Ref struct {
	// Name is the registry and the repository, such as registry.example.com/shop.
	Name string
	// Tag is for people, and may be empty.
	Tag string
	// Digest is sha256: and 64 hexadecimal digits.
	Digest string
}

var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)
	tagForm    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// ParseImage reads NAME@DIGEST or NAME:TAG@DIGEST. Anything else is fault.Invalid: a tag
// alone may mean another image tomorrow.
func ParseImage(text string) (Ref, error) {
	r := split(text)
	switch {
	case r.Digest == "":
		return Ref{}, fault.Errorf(fault.Invalid, "the image %q has no digest", text).
			WithHint("write it as NAME@sha256:…; `docker buildx imagetools inspect NAME:TAG` shows the digest")
	case !digestForm.MatchString(r.Digest):
		return Ref{}, fault.Errorf(fault.Invalid, "the digest of the image %q is not sha256: and 64 hexadecimal digits", text)
	case !nameForm.MatchString(r.Name) || (r.Tag != "" && !tagForm.MatchString(r.Tag)):
		return Ref{}, fault.Errorf(fault.Invalid, "%q is not the name of an image", text)
	}
	return r, nil
}

// split takes an image apart, whether its parts are well-formed or not.
func split(text string) Ref {
	name, digest, _ := strings.Cut(text, "@")
	tag := ""
	// A colon before the last slash is the one of a port.
	if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
		name, tag = name[:at], name[at+1:]
	}
	return Ref{Name: name, Tag: tag, Digest: digest}
}

// String is NAME:TAG@DIGEST, without what is empty.
func (r Ref) String() string {
	text := r.Name
	if r.Tag != "" {
		text += ":" + r.Tag
	}
	if r.Digest != "" {
		text += "@" + r.Digest
	}
	return text
}

// same tells whether both are the same image; tags do not count.
func (r Ref) same(other Ref) bool { return r.Name == other.Name && r.Digest == other.Digest }
