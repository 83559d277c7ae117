package deploy

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// In the image there is nothing but what its Dockerfile copies: no C library, no shell, no time
// zones. A root folder of the same content shows that a server runs in it, as the same user.
func TestAServerRunsInARootWithNothingElse(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("another root folder needs root")
	}
	root, err := os.MkdirTemp("", "fairway-image-") // others may enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	const user = 65532
	for dir, mode := range map[string]os.FileMode{"": 0o755, "data": 0o700, "tmp": 0o777 | os.ModeSticky, "usr/local/bin": 0o755} {
		path := filepath.Join(root, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(root, "data"), user, user); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(root, "usr/local/bin/fairway"), "../cmd/fairway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	address := freeAddress(t)
	server := exec.Command("/usr/local/bin/fairway", "server", "--no-worker", "--listen", address)
	server.Env = []string{"FAIRWAY_DATA_DIR=/data", "HOME=/data"}
	server.Dir, server.Stderr = "/", os.Stderr
	server.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: user, Gid: user}}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		if err := server.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatalf("it is not ready after 30 s: %v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "data", "fairway.db")); err != nil {
		t.Error(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
