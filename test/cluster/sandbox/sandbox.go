// Package sandbox runs programs in private Linux namespaces under one process, so
// that they can do to "the machine" what they like (mount, make network devices and
// control groups, listen on any port) and nothing of it is left when that process is
// gone. It knows nothing of what the programs are for.
//
// Inside there is one network address and no way out: nothing in the sandbox can
// reach any network, not even the machine's own loopback. From outside one reaches in
// by Dial, Forward and Command.
//
//	s, err := sandbox.Start(ctx, sandbox.Options{})
//	defer s.Close()
//	err = s.Run(sandbox.Process{Name: "web", Args: []string{"/usr/bin/web", "--port=80"}})
//	url, err := s.Forward("127.0.0.1:80")
//
// Who takes it down, whatever happens:
//
//   - Close, or the end of the process that called Start, even by SIGKILL: the
//     sandbox's first process (the program in init) finds its standard input closed,
//     kills everything else inside, removes control groups and folder, and ends.
//   - If that first process is itself killed, the kernel ends all the others and the
//     namespaces, and the starter removes the control groups at once and the folder at
//     Close.
//   - If both are killed in one instant, what is left is a folder and empty control
//     groups, which the next Start finds and removes.
package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Address is the sandbox's one network address besides the loopback's. It is of a
// range that is set apart for tests of networks (RFC 2544).
const Address = "198.18.0.10"

const (
	// gateway is where nobody is: a default route must lead somewhere.
	gateway = "198.18.0.1"
	// prefix begins the name of each sandbox's folder and control groups.
	prefix = "fairway-sandbox-"
	// closeLimit is how long the first process may take to clean up before it is killed.
	closeLimit = 30 * time.Second
)

// Options say what is special inside.
type Options struct {
	// Keep are folders that must be visible inside wherever they are; all others are
	// too, but for those below /run, /var/lib and /var/log, which are empty inside.
	Keep []string
	// Pretend gives files below /proc/sys other contents inside. What is written to
	// them changes nothing: a program that tunes the machine tunes a copy.
	Pretend map[string]string
	// OnEnd hears of each process that ends while the sandbox is open, and how. It must
	// not call the sandbox.
	OnEnd func(name, how string)
}

// Process is a program to run inside.
type Process struct {
	// Name is what it is called in reports, and by its log: Dir/log/NAME.log.
	Name string
	Args []string
	// Env is added to the environment of whoever starts the sandbox.
	Env []string
}

// Sandbox is one that runs. Its methods may be called by several goroutines.
type Sandbox struct {
	// Dir is a folder of its own, on disk, which goes with it.
	Dir string
	// Cgroup is the path of its control groups below the root of each hierarchy.
	Cgroup string

	options Options
	lock    *os.File
	cmd     *exec.Cmd
	stdin   io.Closer
	netns   *os.File
	answers chan Report
	gone    chan struct{}
	left    error           // what could not be removed; to be read when gone is closed
	ending  context.Context // ends with Close
	end     context.CancelFunc

	running sync.Mutex // one question at a time
	send    *json.Encoder

	mu      sync.Mutex
	closing bool
	open    map[io.Closer]struct{} // connections and listeners that reach inside
	dying   map[string]chan struct{}
	work    sync.WaitGroup // the goroutines that serve them
}

// Start makes an empty sandbox. It needs root.
func Start(ctx context.Context, o Options) (*Sandbox, error) {
	sweep()
	dir, err := os.MkdirTemp("", prefix+"*")
	if err != nil {
		return nil, fmt.Errorf("make the sandbox's folder: %w", err)
	}
	s := &Sandbox{
		Dir:     dir,
		Cgroup:  "/" + filepath.Base(dir),
		options: o,
		answers: make(chan Report),
		gone:    make(chan struct{}),
		open:    map[io.Closer]struct{}{},
		dying:   map[string]chan struct{}{},
	}
	s.ending, s.end = context.WithCancel(context.Background())
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a sandbox: %w", err), s.Close())
	}
	return s, nil
}

// Run starts a program inside. It returns once the program has begun, or cannot.
func (s *Sandbox) Run(p Process) error {
	s.running.Lock()
	defer s.running.Unlock()
	if err := s.order(Order{Run: &p}); err != nil {
		return fmt.Errorf("run %s: %w", p.Name, err)
	}
	return nil
}

// Kill ends the program of that name by SIGKILL, and returns when it is gone. OnEnd
// hears of it too. It may be run again after that.
func (s *Sandbox) Kill(name string) error {
	s.running.Lock()
	defer s.running.Unlock()
	ended := make(chan struct{})
	s.mu.Lock()
	s.dying[name] = ended
	s.mu.Unlock()
	if err := s.order(Order{Kill: name}); err != nil {
		s.buried(name)
		return fmt.Errorf("kill %s: %w", name, err)
	}
	select {
	case <-ended:
	case <-s.gone:
	}
	return nil
}

func (s *Sandbox) order(o Order) error {
	if err := s.send.Encode(o); err != nil {
		return fmt.Errorf("the sandbox is gone: %w", err)
	}
	return s.answer()
}

// Command is a program outside that sees the sandbox's network and no other. It is
// the caller's: it does not end with the sandbox.
func (s *Sandbox) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	net := fmt.Sprintf("--net=/proc/%d/ns/net", s.Pid())
	return exec.CommandContext(ctx, "nsenter", append([]string{net, "--", name}, args...)...)
}

// Log is where a process's output goes.
func (s *Sandbox) Log(name string) string { return logPath(s.Dir, name) }

// Pid is the first process's, as it is seen from outside.
func (s *Sandbox) Pid() int { return s.cmd.Process.Pid }

// Gone is closed when nothing runs inside any more and the control groups are
// removed. That may happen before Close, if somebody kills the first process.
func (s *Sandbox) Gone() <-chan struct{} { return s.gone }

// Close ends everything inside and removes what the sandbox has left. An error means
// that something is still there.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	s.closing = true
	open := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	s.end()
	for _, c := range open {
		_ = c.Close()
	}
	s.work.Wait()
	if s.netns != nil {
		_ = s.netns.Close()
	}
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.stdin.Close()
		select {
		case <-s.gone:
		case <-time.After(closeLimit):
			_ = s.cmd.Process.Kill()
			<-s.gone
		}
	}
	// The lock goes with its file, and tells others that the folder is nobody's.
	err := os.RemoveAll(s.Dir)
	if s.lock != nil {
		_ = s.lock.Close()
	}
	return errors.Join(s.left, err)
}

func (s *Sandbox) start(ctx context.Context) (err error) {
	if s.lock, err = lockFolder(s.Dir); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(s.Dir, "log"), 0o755); err != nil {
		return err
	}
	first, err := buildInit(ctx, s.Dir)
	if err != nil {
		return err
	}
	if err := s.begin(first); err != nil {
		return err
	}
	if s.netns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", s.Pid())); err != nil {
		return err
	}
	s.running.Lock()
	defer s.running.Unlock()
	err = s.send.Encode(Setup{
		Dir: s.Dir, Cgroup: s.Cgroup, Address: Address, Gateway: gateway,
		Keep: append([]string{s.Dir}, s.options.Keep...), Pretend: s.options.Pretend,
	})
	if err != nil {
		return err
	}
	return s.answer()
}

// begin starts the first process in new namespaces.
func (s *Sandbox) begin(program string) error {
	outside, err := os.Open("/proc/self/ns/mnt")
	if err != nil {
		return err
	}
	defer outside.Close()
	log, err := os.Create(s.Log("init"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program)
	cmd.Dir = "/"
	cmd.Stderr = log
	cmd.ExtraFiles = []*os.File{s.lock, outside}
	cmd.SysProcAttr = newNamespaces()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("make namespaces: %w", err)
	}
	s.cmd, s.stdin, s.send = cmd, stdin, json.NewEncoder(stdin)
	go s.follow(stdout)
	return nil
}

// follow reads what the first process reports until it is gone, and cleans up after it.
func (s *Sandbox) follow(stdout io.Reader) {
	defer close(s.gone)
	lines := json.NewDecoder(stdout)
	for {
		var r Report
		if lines.Decode(&r) != nil {
			break
		}
		if r.Ended == "" {
			s.answers <- r
			continue
		}
		s.buried(r.Name)
		if s.options.OnEnd != nil && !s.isClosing() {
			s.options.OnEnd(r.Name, r.Ended)
		}
	}
	close(s.answers)
	_ = s.cmd.Wait()
	s.left = RemoveCgroups(s.Cgroup)
}

// buried tells who waits for it that a process is gone.
func (s *Sandbox) buried(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ended, waits := s.dying[name]; waits {
		close(ended)
		delete(s.dying, name)
	}
}

func (s *Sandbox) answer() error {
	r, ok := <-s.answers
	if !ok {
		said, _ := os.ReadFile(s.Log("init"))
		return fmt.Errorf("the sandbox's first process has ended: %s", said)
	}
	if r.Error != "" {
		return errors.New(r.Error)
	}
	return nil
}

func (s *Sandbox) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// buildInit builds the first process's program. Go keeps what it has built, so this
// takes a moment only after a change.
func buildInit(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "init")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/fairwayhq/fairway/test/cluster/sandbox/init")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build its first process: %w: %s", err, out)
	}
	return program, nil
}

// lockFolder marks the folder as in use for as long as anybody has the file open: the
// caller, or the first process, which inherits it. The name lock is given only to a
// file that is locked already.
func lockFolder(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.Create(path + ".new")
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, os.Rename(path+".new", path)
}

// sweep removes what sandboxes have left whose processes were all killed in one instant.
func sweep() {
	locks, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*", "lock"))
	for _, path := range locks {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			dir := filepath.Dir(path)
			if RemoveCgroups("/"+filepath.Base(dir)) == nil {
				_ = os.RemoveAll(dir)
			}
		}
		_ = f.Close()
	}
}

func logPath(dir, name string) string { return filepath.Join(dir, "log", name+".log") }

// hold remembers what reaches inside, so that Close ends it. It is false after Close.
func (s *Sandbox) hold(c io.Closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.open[c] = struct{}{}
	}
	return !s.closing
}

func (s *Sandbox) release(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

var errClosed = fmt.Errorf("the sandbox is closed: %w", net.ErrClosed)
