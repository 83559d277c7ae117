//go:build linux

package sandbox_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/test/cluster/sandbox"
	"github.com/fairwayhq/fairway/test/cluster/sandbox/sandboxtest"
)

// part makes the test's program another one: "start" starts a sandbox and waits to be
// killed, "echo" says on port 7 what it is told.
const part = "FAIRWAY_TEST_SANDBOX_PART"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(part) {
	case "start":
		err = startAndWait()
	case "echo":
		err = echo()
	default:
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func startAndWait() error {
	s, err := sandbox.Start(context.Background(), sandbox.Options{})
	if err != nil {
		return err
	}
	if err := s.Run(sandbox.Process{Name: "sleep", Args: []string{"sleep", "1000"}}); err != nil {
		return err
	}
	sandboxtest.Say(s.Pid(), s.Dir, s.Cgroup)
	select {}
}

func echo() error {
	l, err := net.Listen("tcp", "127.0.0.1:7")
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		_, _ = io.Copy(c, c)
		_ = c.Close()
	}
}

func start(t *testing.T, o sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	needs(t)
	s, err := sandbox.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// asked is the environment variable that asks for tests with a real cluster.
const asked = "FAIRWAY_TEST_CLUSTER"

func needs(t *testing.T) {
	t.Helper()
	if os.Getenv(asked) == "" {
		t.Skip("namespaces and cgroups are made when " + asked + " is set, as `make test-cluster` does")
	}
	if err := sandbox.Possible(); err != nil {
		t.Skip("there can be no sandbox here: ", err)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("there can be no sandbox here: ", err)
	}
}

func run(t *testing.T, s *sandbox.Sandbox, name string, args ...string) {
	t.Helper()
	if err := s.Run(sandbox.Process{Name: name, Args: args}); err != nil {
		t.Fatal(err)
	}
}

func TestAProcessThatIsKilledIsGoneAndCanRunAgain(t *testing.T) {
	ends := make(chan string, 10)
	s := start(t, sandbox.Options{OnEnd: func(name, how string) { ends <- name + " " + how }})
	for range 2 {
		run(t, s, "sleep", "sleep", "1000")
		if err := s.Kill("sleep"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Kill("sleep"); err == nil {
		t.Error("a process that does not run was killed")
	}
	for range 2 {
		if end := <-ends; end != "sleep by signal: killed" {
			t.Errorf("heard of the end %q", end)
		}
	}
}

// eventually waits until a log says something.
func eventually(t *testing.T, s *sandbox.Sandbox, name, says string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		text, _ := os.ReadFile(s.Log(name))
		if strings.Contains(string(text), says) {
			return
		}
		if process.Wait(ctx, 10*time.Millisecond) != nil {
			t.Fatalf("%s does not say %q but %q", name, says, text)
		}
	}
}

func TestNothingIsLeftOfASandbox(t *testing.T) {
	ends := map[string]func(t *testing.T, s *sandbox.Sandbox){
		"closed": func(t *testing.T, s *sandbox.Sandbox) {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		},
		"first process killed": func(t *testing.T, s *sandbox.Sandbox) {
			if err := syscall.Kill(s.Pid(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			<-s.Gone()
		},
		"first process asked to end": func(t *testing.T, s *sandbox.Sandbox) {
			if err := syscall.Kill(s.Pid(), syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			<-s.Gone()
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			s := start(t, sandbox.Options{})
			run(t, s, "orphan", "sh", "-c", "mkdir /run/m; mount -t tmpfs m /run/m; setsid sleep 1000 & echo ready")
			eventually(t, s, "orphan", "ready")
			run(t, s, "group", "sh", "-c", `for g in /sys/fs/cgroup`+s.Cgroup+` /sys/fs/cgroup/*`+s.Cgroup+`; do
				if [ -d $g ]; then mkdir $g/inner; echo $$ > $g/inner/cgroup.procs; fi
			done
			echo ready; exec sleep 1000`)
			eventually(t, s, "group", "ready")
			traces := sandboxtest.Of(t, s.Pid(), s.Dir, s.Cgroup)
			if len(traces.Processes) < 3 || len(traces.Namespaces) < 5 {
				t.Fatalf("the sandbox has only the processes %v and the namespaces %v", traces.Processes, traces.Namespaces)
			}
			end(t, s)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			traces.MustBeGone(t)
			if _, err := os.Stat(s.Dir); err == nil {
				t.Errorf("%s is still there", s.Dir)
			}
		})
	}
}

func TestNothingIsLeftWhenTheStarterIsKilled(t *testing.T) {
	needs(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), part+"=start")
	sandboxtest.KillStarter(t, cmd)
}

func TestTheNextStartRemovesWhatTwoKillsHaveLeft(t *testing.T) {
	needs(t)
	// As it is when both processes were killed: a folder that nobody has locked.
	dir, err := os.MkdirTemp("", "fairway-sandbox-left-*")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sandbox.MakeCgroups("/" + filepath.Base(dir)); err != nil {
		t.Fatal(err)
	}
	first := start(t, sandbox.Options{})
	start(t, sandbox.Options{})
	sandboxtest.Traces{Dir: dir, Cgroup: "/" + filepath.Base(dir)}.MustBeGone(t)
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is still there", dir)
	}
	if _, err := os.Stat(first.Dir); err != nil {
		t.Errorf("a sandbox in use lost its folder: %v", err)
	}
}

func TestOneReachesInAndNobodyOut(t *testing.T) {
	s := start(t, sandbox.Options{})
	outer, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	if c, err := s.Dial(t.Context(), "tcp", outer.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the machine's loopback can be reached from inside")
	}
	if out, err := s.Command(t.Context(), "ip", "-o", "address").CombinedOutput(); err != nil || !strings.Contains(string(out), sandbox.Address) {
		t.Errorf("a command sees another network: %v, %s", err, out)
	}

	err = s.Run(sandbox.Process{Name: "listener", Args: []string{os.Args[0]}, Env: []string{part + "=echo"}})
	if err != nil {
		t.Fatal(err)
	}
	address, err := s.Forward("127.0.0.1:7")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "listener", "listening")
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "hello")
	_ = c.(*net.TCPConn).CloseWrite()
	if said, err := io.ReadAll(c); err != nil || string(said) != "hello" {
		t.Errorf("the echo is %q, %v", said, err)
	}
}

func TestAProcessThatEndsIsReported(t *testing.T) {
	ended := make(chan string, 1)
	s := start(t, sandbox.Options{OnEnd: func(name, how string) { ended <- name + " " + how }})
	run(t, s, "short", "sh", "-c", "exit 3")
	if got := <-ended; got != "short with exit code 3" {
		t.Errorf("reported was %q", got)
	}
	if err := s.Run(sandbox.Process{Name: "none", Args: []string{"/is/not/there"}}); err == nil {
		t.Error("a program that is not there was started")
	}
}

func TestAPretendedSettingIsWrittenInVain(t *testing.T) {
	const setting = "/proc/sys/kernel/panic"
	before, err := os.ReadFile(setting)
	if err != nil {
		t.Skip(err)
	}
	s := start(t, sandbox.Options{Pretend: map[string]string{setting: "77"}})
	run(t, s, "tuner", "sh", "-c", "cat "+setting+" && echo 78 > "+setting+" && cat "+setting+" && echo done")
	eventually(t, s, "tuner", "77\n78\ndone")
	if after, _ := os.ReadFile(setting); string(after) != string(before) {
		t.Errorf("the machine's own setting was %s and is %s", before, after)
	}
}

// Caches and temporary folders may lie where the sandbox shows empty folders.
func TestAFolderToKeepIsVisibleWhereverItIs(t *testing.T) {
	needs(t)
	dir, err := os.MkdirTemp("/run", "fairway-keep-")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, sandbox.Options{Keep: []string{dir}})
	run(t, s, "look", "sh", "-c", "ls /run; cat "+dir+"/file; echo; echo done")
	eventually(t, s, "look", filepath.Base(dir)+"\nkept\ndone")
	if text, _ := os.ReadFile(s.Log("look")); !strings.HasPrefix(string(text), filepath.Base(dir)) {
		t.Errorf("besides what is kept, inside is %s", text)
	}
}
