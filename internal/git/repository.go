// Package git keeps the repository that holds the truth about what should run. At the
// end of a release it commits the image that was proven there, or proposes it by a pull
// request; and it reads what the repository says now, for who looks for drift.
//
// It works by the real git, which must be on the PATH (2.31 or newer), so that whatever
// authenticates a person on the worker's machine authenticates Fairway too: an SSH key,
// a credential helper, or the token that Repository.Token refers to. git never asks
// anybody: what it has no credentials for fails.
//
// Every call may be repeated, also after a kill at any instant: it begins with what the
// branch says, in a fresh clone without a working tree, and does what is left to do. It
// renders no manifests (package edit says how they are changed), signs no commits, and
// remembers nothing from one call to the next.
//
//	repository := git.Repository{
//		URL: "https://github.com/acme/deploy", Branch: "main", Token: "env:GITHUB_TOKEN",
//		Place: git.Place{Path: "apps/shop/production", Deployment: "shop"},
//	}
//	result, err := repository.Commit(ctx, git.Change{
//		Release: "01J…", Service: "shop", Environment: "production",
//		Image: "registry.example.com/shop@sha256:4f2a…",
//	})
package git

import (
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/git/edit"
)

// Place says where in a repository an image is written.
type Place = edit.Place

// Repository is one branch of a Git repository, and the place in it that is Fairway's
// to write. It may be used by many goroutines and processes at once.
type Repository struct {
	// URL is what git understands: https://, ssh://, host:path, git://, file:// or a path.
	URL string
	// Branch is its name alone, such as main. It must exist.
	Branch string
	// Place is where the image is written; Read reads below its path.
	Place Place
	// Author of the commits; Fairway where its name is empty.
	Author Author
	// Token refers to a secret, as package secret reads it, which is the password for an
	// https:// URL. Empty: git finds credentials by itself, or needs none.
	Token string
	// Username goes with the token; x-access-token where it is empty.
	Username string
	// Dir is a folder of the worker for clones, which take as much space as fifty commits
	// of the branch and are removed after each call. What a killed call has left is
	// removed by the next one. Empty: the machine's temporary folder, where it stays.
	Dir string
	// Reviews opens pull requests; only Propose needs it.
	Reviews Reviews
}

// Author is who commits.
type Author struct{ Name, Email string }

var defaultAuthor = Author{Name: "Fairway", Email: "fairway@localhost"}

// branchForm is stricter than git: such a name means nothing else anywhere.
var branchForm = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._/+-]*[A-Za-z0-9_+-])?$`)

// transportForm begins a URL that names a program which is to be run for it.
var transportForm = regexp.MustCompile(`^[A-Za-z0-9+.-]+::`)

// Validate says what is wrong with the settings, without looking at the repository. All
// other methods call it.
func (r Repository) Validate() error {
	switch {
	case r.URL == "" || strings.HasPrefix(r.URL, "-") || strings.ContainsAny(r.URL, "\n\r\x00"):
		return fault.Errorf(fault.Invalid, "%q is no URL of a Git repository", r.URL)
	case transportForm.MatchString(r.URL):
		return fault.Errorf(fault.Invalid, "the repository %s names a program as its transport", r.Name()).
			WithHint("use https://, ssh://, git://, file:// or a path")
	case !branchForm.MatchString(r.Branch) || strings.Contains(r.Branch, "..") || strings.Contains(r.Branch, "//") || strings.HasSuffix(r.Branch, ".lock"):
		return fault.Errorf(fault.Invalid, "%q is no name of a branch", r.Branch).
			WithHint("name it as in `git branch`, without refs/heads/")
	case strings.ContainsAny(r.Author.Name+r.Author.Email, "<>\n\r\x00") || (r.Author.Name != "" && r.Author.Email == ""):
		return fault.Errorf(fault.Invalid, "the author %q <%q> cannot commit", r.Author.Name, r.Author.Email).
			WithHint("give both a name and an email address, on one line and without < and >")
	case r.Token != "" && !r.takesToken():
		return fault.Errorf(fault.Invalid, "a token for %s would be readable on its way", r.Name()).
			WithHint("use an https:// URL, or leave the token out")
	}
	return nil
}

// takesToken tells whether a token may be sent: encrypted, or on this machine alone.
func (r Repository) takesToken() bool {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
	return u.Scheme == "https" || (u.Scheme == "http" && local)
}

// Name is the URL without the credentials that may stand in it: what may be shown.
func (r Repository) Name() string {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.User == nil {
		return r.URL
	}
	u.User = nil
	return u.String()
}

func (r Repository) author() Author {
	if r.Author.Name == "" {
		return defaultAuthor
	}
	return r.Author
}
