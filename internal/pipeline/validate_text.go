package pipeline

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// problem is what a check finds wrong with a text. offset is the character where
// it is, or -1 for the whole.
type problem struct {
	message, hint string
	offset        int
}

func wrong(hint, format string, args ...any) *problem {
	return &problem{message: fmt.Sprintf(format, args...), hint: hint, offset: -1}
}

// checks are the named checks of the struct tags `check` and `keys`.
var checks map[string]func(string) *problem

func init() {
	checks = map[string]func(string) *problem{
		"name":       checkName,
		"object":     checkObject,
		"commit":     checkCommit,
		"repository": checkRepository,
		"branch":     checkBranch,
		"path":       checkPath,
		"relative":   checkRelative,
		"url":        checkURL,
		"listen":     checkListen,
		"host":       checkHost,
		"variable":   checkVariable,
		"secret":     checkSecret,
		"token":      checkToken,
		"query":      checkQuery,
		"difference": checkDifference,
		"cel":        checkCondition,
	}
}

// The patterns of names, also used by the JSON Schema.
const (
	namePattern     = `^[a-z][a-z0-9-]{0,61}[a-z0-9]$|^[a-z]$`
	objectPattern   = `^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`
	branchPattern   = `^[A-Za-z0-9_]([A-Za-z0-9._/+-]*[A-Za-z0-9_+-])?$`
	commitPattern   = `^[0-9a-f]{40}([0-9a-f]{24})?$`
	variablePattern = `^[A-Za-z_][A-Za-z0-9_]*$`
	tokenPattern    = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
	hostPattern     = `^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`
)

var (
	nameRegexp     = regexp.MustCompile(namePattern)
	objectRegexp   = regexp.MustCompile(objectPattern)
	branchRegexp   = regexp.MustCompile(branchPattern)
	commitRegexp   = regexp.MustCompile(commitPattern)
	variableRegexp = regexp.MustCompile(variablePattern)
	tokenRegexp    = regexp.MustCompile(tokenPattern)
	hostRegexp     = regexp.MustCompile(hostPattern)
)

func checkName(s string) *problem {
	if nameRegexp.MatchString(s) {
		return nil
	}
	return wrong("a name has at most 63 lower-case letters, digits and dashes, and begins with a letter", "%q is not a name", s)
}

func checkObject(s string) *problem {
	if objectRegexp.MatchString(s) {
		return nil
	}
	return wrong("Kubernetes names have lower-case letters, digits, dashes and dots", "%q is not the name of a Kubernetes object", s)
}

func checkCommit(s string) *problem {
	if commitRegexp.MatchString(s) {
		return nil
	}
	return wrong("a commit is its whole hash of 40 hexadecimal digits, so that it cannot become another one", "%q is not the hash of a commit", s)
}

func checkBranch(s string) *problem {
	if branchRegexp.MatchString(s) && !strings.Contains(s, "..") && !strings.Contains(s, "//") {
		return nil
	}
	return wrong("name it as in `git branch`, without refs/heads/", "%q is not the name of a branch", s)
}

func checkRepository(s string) *problem {
	if strings.HasPrefix(s, "-") || strings.ContainsAny(s, " \t\r\n") {
		return wrong("for instance: https://github.com/acme/deploy.git", "%q is not the URL of a repository", s)
	}
	if u, err := url.Parse(s); err == nil && u.User != nil {
		if _, password := u.User.Password(); password {
			return wrong("give the password as a reference: token: env:GIT_TOKEN", "the URL of the repository has a password in it")
		}
	}
	return nil
}

func checkPath(s string) *problem {
	if !strings.HasPrefix(s, "/") {
		return wrong("for instance: /healthz", "the path %q does not begin with a slash", s)
	}
	if _, err := url.ParseRequestURI(s); err != nil || strings.ContainsAny(s, " \t\n#") {
		return wrong("escape what has no place in a URL, for instance a space as %20", "%q is not the path of a URL", s)
	}
	return nil
}

func checkRelative(s string) *problem {
	switch {
	case path.IsAbs(s) || strings.Contains(s, `\`):
		return wrong("write it relative, with slashes: config/app.yaml", "%q is not a relative path", s)
	case path.Clean(s) != s || s == "." || s == ".." || strings.HasPrefix(s, "../"):
		return wrong("write it without `.`, `..` and double slashes", "the path %q leads elsewhere than it seems", s)
	}
	return nil
}

func checkURL(s string) *problem {
	u, err := url.Parse(s)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" {
		return nil
	}
	return wrong("begin with https:// or http:// and a host name", "%q is not a URL", s)
}

func checkListen(s string) *problem {
	const hint = `for instance: listen: "127.0.0.1:8080"`
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return wrong(hint, "%q is not an address and a port", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return wrong("a port is a number from 1 to 65535", "%q has no usable port", s)
	}
	if host != "" && net.ParseIP(host) == nil && !hostRegexp.MatchString(host) {
		return wrong(hint, "%q is not an address", host)
	}
	return nil
}

func checkHost(s string) *problem {
	if hostRegexp.MatchString(s) {
		return nil
	}
	return wrong("write it without scheme, port and path: shop.example.com", "%q is not a host name", s)
}

func checkVariable(s string) *problem {
	if variableRegexp.MatchString(s) {
		return nil
	}
	return wrong("letters, digits and underscores, not beginning with a digit", "%q cannot be the name of a variable", s)
}

func checkSecret(s string) *problem {
	if file, ok := strings.CutPrefix(s, "file:"); ok && path.IsAbs(file) {
		return nil
	}
	if name, ok := strings.CutPrefix(s, "env:"); ok && variableRegexp.MatchString(name) {
		return nil
	}
	// The text may be the secret itself, so it is not repeated here.
	return wrong("write file:/run/secrets/NAME or env:VARIABLE, never the secret itself", "a secret must be a reference")
}

func checkToken(s string) *problem {
	if tokenRegexp.MatchString(s) {
		return nil
	}
	return wrong("letters, digits, dashes and underscores", "%q cannot be the name of a cookie or header", s)
}

func checkQuery(s string) *problem {
	if asksBy([]string{"$arm", "$revision", "$backend"}, s) {
		return nil
	}
	return wrong(`select one arm, for instance: http_requests_total{revision="$revision"}`, "the query reads both arms at once")
}

func checkCondition(s string) *problem {
	_, p := compileGate(s)
	return p
}
