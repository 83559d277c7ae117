package git_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/git"
	"github.com/fairwayhq/fairway/internal/process"
)

var (
	oldDigest = "sha256:" + strings.Repeat("0a", 32)
	newDigest = "sha256:" + strings.Repeat("4f", 32)
)

const shop = `# The shop.
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
      - name: app
        image: registry.example.com/shop:v1 # by releases
`

// remote is a bare repository on this disk.
type remote struct {
	t   *testing.T
	dir string
}

// newRemote makes one whose branch main has these files.
func newRemote(t *testing.T, files map[string]string) *remote {
	t.Helper()
	r := &remote{t: t, dir: filepath.Join(t.TempDir(), "deploy.git")}
	run(t, "", "git", "init", "--quiet", "--bare", "--initial-branch=main", r.dir)
	r.push("main", files)
	return r
}

// push commits files to a branch, as a person would: by a clone.
func (r *remote) push(branch string, files map[string]string) {
	r.t.Helper()
	dir := r.t.TempDir()
	run(r.t, "", "git", "clone", "--quiet", r.dir, dir)
	if branch != "main" {
		run(r.t, dir, "git", "checkout", "--quiet", "-b", branch)
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
	run(r.t, dir, "git", "add", "--all")
	run(r.t, dir, "git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "-m", "Edit by hand")
	run(r.t, dir, "git", "push", "--quiet", "origin", "HEAD:"+branch)
}

func (r *remote) git(args ...string) string {
	r.t.Helper()
	return run(r.t, r.dir, "git", args...)
}

func (r *remote) head(branch string) string { return strings.TrimSpace(r.git("rev-parse", branch)) }

func (r *remote) file(branch, name string) string { return r.git("show", branch+":"+name) }

// commits counts those of a branch.
func (r *remote) commits(branch string) int {
	return strings.Count(r.git("log", "--format=%H", branch), "\n")
}

// hook makes the repository run a script.
func (r *remote) hook(name, script string) {
	r.t.Helper()
	writeScript(r.t, filepath.Join(r.dir, "hooks", name), script)
}

// repository is how Fairway is told of the remote.
func (r *remote) repository(url string) git.Repository {
	return git.Repository{URL: url, Branch: "main", Place: git.Place{Path: "apps/shop", Deployment: "shop"}, Dir: filepath.Join(r.t.TempDir(), "git")}
}

// overHTTP serves the repository by git's own HTTP backend. With a password, whoever
// asks must name it.
func (r *remote) overHTTP(password string) string {
	r.git("config", "http.receivepack", "true")
	core := strings.TrimSpace(run(r.t, "", "git", "--exec-path"))
	backend := &cgi.Handler{
		Path: filepath.Join(core, "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Dir(r.dir), "GIT_HTTP_EXPORT_ALL=1"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, given, _ := req.BasicAuth(); given != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="deploy"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, req)
	}))
	r.t.Cleanup(server.Close)
	return server.URL + "/" + filepath.Base(r.dir)
}

// overDaemon serves the repository by git's own daemon.
func (r *remote) overDaemon() string {
	r.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	listener.Close()
	cmd := exec.Command("git", "daemon", "--export-all", "--enable=receive-pack", "--listen=127.0.0.1",
		fmt.Sprintf("--port=%d", address.Port), "--base-path="+filepath.Dir(r.dir), filepath.Dir(r.dir))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	for {
		conn, err := net.Dial("tcp", address.String())
		if err == nil {
			conn.Close()
			return "git://" + address.String() + "/" + filepath.Base(r.dir)
		}
		if process.Wait(ctx, 10*time.Millisecond) != nil {
			r.t.Fatal(err)
		}
	}
}

// overSSH makes git's ssh a script that runs on this machine what it is to run on
// another, and that asks a person unless it was told not to.
func (r *remote) overSSH() string {
	r.t.Setenv("GIT_SSH_COMMAND", filepath.Join(r.t.TempDir(), "ssh"))
	writeScript(r.t, os.Getenv("GIT_SSH_COMMAND"), `
case "$*" in *BatchMode=yes*) ;; *) echo "a person was asked" >&2; exit 255;; esac
for last; do :; done
exec sh -c "$last"`)
	return "ssh://git@deploy.example.com" + r.dir
}

// wrapGit puts a script before the git of the PATH; "$real" is the real one.
func wrapGit(t *testing.T, script string) {
	t.Helper()
	real, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeScript(t, filepath.Join(dir, "git"), "real="+real+"\nmine="+dir+"\n"+script+"\nexec $real \"$@\"")
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func writeScript(t *testing.T, file, script string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, said.String())
	}
	return out.String()
}
