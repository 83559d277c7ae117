package script

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairwayhq/fairway/internal/router"
	"github.com/fairwayhq/fairway/test/postgres"
)

// patience is how long a story waits for anything, on a busy machine.
const patience = 2 * time.Minute

// story is what one script has running.
type story struct {
	postgres   *postgres.Server
	work, data string
	server     *exec.Cmd
	ended      chan error
	users      *users
	hooks      map[string]*hook
	mounted    []string
}

type storyKey struct{}

func of(ts *testscript.TestScript) *story { return ts.Value(storyKey{}).(*story) }

// start starts a server and returns its address once it answers.
func (s *story) start(env []string, args ...string) (string, error) {
	if s.server != nil {
		return "", errors.New("the story's server runs already")
	}
	log, err := os.OpenFile(filepath.Join(s.work, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer log.Close()
	path, err := exec.LookPath("fairway")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(path, append([]string{"server", "--data-dir", s.data, "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Env, cmd.Dir, cmd.Stderr = env, s.work, log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	url := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, address, ok := strings.Cut(lines.Text(), "listens on "); ok {
				url <- address
			}
		}
		close(url)
	}()
	s.server, s.ended = cmd, make(chan error, 1)
	go func() { s.ended <- cmd.Wait() }()
	select {
	case address, ok := <-url:
		if ok {
			return address, nil
		}
		err = errors.New("it ended")
	case <-time.After(patience):
		err = errors.New("it did not listen in time")
	}
	said, _ := os.ReadFile(log.Name())
	return "", fmt.Errorf("start the server: %w\n%s", err, said)
}

// stop ends the server with the signal and waits for it.
func (s *story) stop(signal os.Signal) error {
	if s.server == nil {
		return nil
	}
	cmd, ended := s.server, s.ended
	s.server = nil
	if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-ended:
		if signal == syscall.SIGKILL {
			return nil
		}
		return err
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-ended
		return errors.New("the server did not end by itself")
	}
}

// end takes everything away that the story has started.
func (s *story) end() {
	if s.users != nil {
		s.users.stop()
	}
	_ = s.stop(syscall.SIGTERM)
	for _, h := range s.hooks {
		h.server.Close()
	}
	for _, dir := range s.dataDirs() {
		endRouter(dir)
		endInstances(s.work, dir)
	}
	for _, dir := range s.mounted {
		unmount(dir)
	}
}

// dataDirs are the folders in which a server or a worker of the story kept its things.
func (s *story) dataDirs() []string {
	dirs, _ := filepath.Glob(filepath.Join(s.work, "*", "router"))
	for i := range dirs {
		dirs[i] = filepath.Dir(dirs[i])
	}
	return dirs
}

// endRouter stops the router of a data folder, by the pid that it tells.
func endRouter(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	health, err := router.NewClient(filepath.Join(dir, "router")).Health(ctx)
	if err != nil || health.PID == 0 {
		return
	}
	_ = syscall.Kill(health.PID, syscall.SIGTERM)
	if !gone(health.PID, 5*time.Second) {
		_ = syscall.Kill(health.PID, syscall.SIGKILL)
		gone(health.PID, 5*time.Second)
	}
}

// endInstances kills the service's processes that a data folder still has. Each runs
// an artifact inside the story's folder, so no other process is ever meant.
func endInstances(work, dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "record.json" {
			return nil
		}
		content, err := os.ReadFile(path)
		var record struct{ PID int }
		if err != nil || json.Unmarshal(content, &record) != nil || record.PID <= 1 {
			return nil
		}
		said, err := exec.Command("ps", "-ww", "-p", strconv.Itoa(record.PID), "-o", "args=").Output()
		if err == nil && strings.Contains(string(said), work) {
			_ = syscall.Kill(-record.PID, syscall.SIGKILL)
		}
		return nil
	})
}

// gone waits until there is no such process (a zombie is none).
func gone(pid int, limit time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		state, err := exec.Command("ps", "-p", strconv.Itoa(pid), "-o", "stat=").Output()
		if err != nil || strings.HasPrefix(strings.TrimSpace(string(state)), "Z") {
			return true
		}
	}
	return false
}

var given struct {
	sync.Mutex
	ports map[int]bool
}

// freePort returns a port that nobody has, and that no other story was given.
func freePort() (int, error) {
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = map[int]bool{}
	}
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if !given.ports[port] {
			given.ports[port] = true
			return port, nil
		}
	}
	return 0, errors.New("no port is free")
}
