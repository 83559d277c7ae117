package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/secret"
)

const (
	// remoteLimit bounds one conversation with the other side.
	remoteLimit = 2 * time.Minute
	// waitDelay is how long output is awaited after a git was killed.
	waitDelay = 5 * time.Second
)

// program is the git on the PATH, with what every call of it needs.
type program struct {
	dir  string
	env  []string
	mask *secret.Mask
}

// call is one run of git.
type call struct {
	args   []string
	input  []byte
	remote bool // it talks with the other side
}

// tokenVariable hands the token to the credential helper below; on a command line
// everybody could read it.
const tokenVariable = "FAIRWAY_GIT_TOKEN"

const credentialHelper = `!f() { if test "$1" = get; then printf 'username=%s\npassword=%s\n' "$FAIRWAY_GIT_USERNAME" "$` + tokenVariable + `"; fi; }; f`

func newProgram(r Repository, dir string) (*program, error) {
	secrets := map[string]string{}
	if r.Token != "" {
		var err error
		if secrets, err = secret.Resolve(map[string]string{"git.token": r.Token}); err != nil {
			return nil, err
		}
	}
	token := secrets["git.token"]
	secrets["git.repository"] = r.URL
	if r.Name() == r.URL { // no credentials stand in it
		delete(secrets, "git.repository")
	}
	author := r.author()
	p := &program{dir: dir, mask: secret.NewMask(secrets)}
	p.env = append(inheritedEnv(),
		"LC_ALL=C", "GIT_TERMINAL_PROMPT=0",
		// An extension of a URL could run anything.
		"GIT_ALLOW_PROTOCOL=https:http:ssh:git:file",
		"GIT_INDEX_FILE="+dir+"/index",
		"GIT_AUTHOR_NAME="+author.Name, "GIT_AUTHOR_EMAIL="+author.Email,
		"GIT_COMMITTER_NAME="+author.Name, "GIT_COMMITTER_EMAIL="+author.Email,
	)
	p.configure("remote.origin.url", r.URL, "core.hooksPath", "/dev/null", "gc.auto", "0", "maintenance.auto", "false",
		"http.lowSpeedLimit", "1000", "http.lowSpeedTime", "30")
	if token != "" {
		username := r.Username
		if username == "" {
			username = "x-access-token"
		}
		p.env = append(p.env, tokenVariable+"="+token, "FAIRWAY_GIT_USERNAME="+username)
		// The empty helper forgets those of the machine, which would store the token. The
		// new one answers to no host but this: a redirection must not lead the token away.
		p.configure("credential.helper", "", "credential."+origin(r.URL)+".helper", credentialHelper)
	}
	return p, nil
}

// origin is the part of a URL that names the host.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Scheme + "://" + u.Host
}

// inheritedEnv is the worker's own environment: credentials may come by it. What would
// lead to another repository, or ask in a window, stays out.
func inheritedEnv() []string {
	out := []string{
		"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_SHALLOW_FILE",
		"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE",
		"SSH_ASKPASS", "DISPLAY", "WAYLAND_DISPLAY", "LANG", "LANGUAGE",
	}
	return slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(out, name) || strings.HasPrefix(name, "LC_")
	})
}

// configure adds settings to those that the environment may already bring. The last
// value of a variable counts.
func (p *program) configure(pairs ...string) {
	n, _ := strconv.Atoi(p.variable("GIT_CONFIG_COUNT"))
	for pair := range slices.Chunk(pairs, 2) {
		p.env = append(p.env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, pair[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, pair[1]))
		n++
	}
	p.env = append(p.env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", n))
}

func (p *program) variable(name string) (value string) {
	for _, pair := range p.env {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}

// learnSSH makes the ssh that git would use one that asks nobody.
func (p *program) learnSSH(ctx context.Context) error {
	ssh := p.variable("GIT_SSH_COMMAND")
	if ssh == "" && p.variable("GIT_SSH") != "" {
		return nil // a program of its own, which takes no options
	}
	if ssh == "" {
		out, err := p.run(ctx, call{args: []string{"config", "--default", "ssh", "--get", "core.sshCommand"}})
		if err != nil {
			return err
		}
		ssh = strings.TrimSpace(string(out))
	}
	p.env = append(p.env, "GIT_SSH_COMMAND="+ssh+" -o BatchMode=yes -o ConnectTimeout=20")
	return nil
}

// failure is a git that ended badly.
type failure struct {
	args   []string
	said   string // on its standard error, without secrets
	reason error
}

func (f *failure) Error() string {
	if f.said != "" {
		return "git " + f.args[0] + ": " + f.said
	}
	return "git " + f.args[0] + ": " + f.reason.Error()
}

func (f *failure) Unwrap() error { return f.reason }

// run runs git and returns what it printed; an error is a failure, or a fault if there is
// no git.
func (p *program) run(ctx context.Context, c call) ([]byte, error) {
	if c.remote {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, remoteLimit)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, "git", c.args...)
	cmd.Dir, cmd.Env, cmd.Stdin = p.dir, p.env, bytes.NewReader(c.input)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	// Without a terminal nothing can ask on it, and a group can be ended as a whole.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = waitDelay
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fault.Errorf(fault.Unavailable, "there is no git on the worker's PATH: %w", err).
			WithHint("install git 2.31 or newer on the worker's machine")
	case ctx.Err() != nil:
		return out.Bytes(), &failure{args: c.args, reason: ctx.Err()}
	case err != nil:
		return out.Bytes(), &failure{args: c.args, said: p.mask.Text(strings.TrimSpace(said.String())), reason: err}
	}
	return out.Bytes(), nil
}
