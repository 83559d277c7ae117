package host_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
)

func TestAFailureSaysWhatHappened(t *testing.T) {
	soon := with("ready", map[string]any{"path": "/healthz", "timeout": "250ms", "interval": "10ms"})
	// It must have come to listen by then, also on a busy machine.
	later := with("ready", map[string]any{"path": "/healthz", "timeout": "3s", "interval": "10ms"})
	for name, tc := range map[string]struct {
		mode   string
		change []func(map[string]any)
		want   []string
	}{
		"it ends before it is ready":   {"exit", nil, []string{"exited with status 3 before it was ready", "cannot find the database"}},
		"it does not listen":           {"silent", []func(map[string]any){soon}, []string{"not ready within 250ms", "does not answer"}},
		"it answers that it is unwell": {"unwell", []func(map[string]any){later}, []string{"not ready within 3s", "GET /healthz answers 503"}},
		"it listens somewhere else":    {"elsewhere", []func(map[string]any){later}, []string{"it listens on port", "not on $PORT"}},
		"the command is not there":     {"ok", []func(map[string]any){with("run", "./missing")}, []string{`start "./missing"`, "no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			v := r.revision("v1", tc.mode, tc.change...)
			r.place(v, 1)
			message := r.failed(v.ID)
			for _, part := range tc.want {
				if !strings.Contains(message, part) {
					t.Errorf("nothing about %q in %q", part, message)
				}
			}
		})
	}
}

func TestAStrangerOnThePortIsNotTakenForTheService(t *testing.T) {
	for _, mode := range []string{"ok", "silent"} { // one needs the port, the other never asks for it
		t.Run(mode, func(t *testing.T) {
			r := newRig(t)
			// The stranger comes between the choice of the port and the start of the service.
			r.Platform = r.open(host.Config{ExecCommand: []string{os.Args[0], "slow-host-exec"}, Ports: onePort(t)})
			v1 := r.revision("v1", mode, with("ready", map[string]any{"path": "/healthz", "timeout": "600ms", "interval": "10ms"}))
			port := make(chan net.Listener, 1)
			go func() { port <- r.occupy() }()
			r.place(v1, 1)
			stranger := <-port
			if stranger == nil {
				t.Fatal("the stranger found no port")
			}
			defer func() { _ = stranger.Close() }()
			message := r.failed(v1.ID)
			if !strings.Contains(message, fmt.Sprintf("is taken by process %d (host.test)", os.Getpid())) {
				t.Errorf("the message is %q", message)
			}
		})
	}
}

// onePort is a range of one free port.
func onePort(t *testing.T) [2]int {
	t.Helper()
	for port := 33500 - os.Getpid()%1000; port > 20000; port-- {
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			_ = l.Close()
			return [2]int{port, port + 1}
		}
	}
	t.Fatal("no port is free")
	return [2]int{}
}

// occupy answers as healthy on the port that was just chosen, before its instance does.
func (r *rig) occupy() net.Listener {
	path := filepath.Join(r.dir, "host", "ports.json")
	for begin := time.Now(); time.Since(begin) < 5*time.Second; time.Sleep(time.Millisecond) {
		raw, _ := os.ReadFile(path)
		before, _, found := strings.Cut(strings.TrimPrefix(string(raw), `{"`), `"`)
		if !found {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", before))
		if err != nil {
			return nil
		}
		go func() { _ = http.Serve(l, answers("ok")) }()
		return l
	}
	return nil
}

func TestAFailedInstanceGetsAnotherChanceUnderANewLease(t *testing.T) {
	r := newRig(t)
	flag := filepath.Join(r.dir, "works-now")
	v1 := r.revision("v1", "ok", with("run", []string{"sh", "-c", "test -e " + flag + " && exec $ARTIFACT ok $PORT"}))
	r.place(v1, 1)
	r.failed(v1.ID)
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.place(v1, 1)
	r.failed(v1.ID)
	r.lease.Fence++
	r.ready(v1, 1)
}

func TestLogsOfAllInstancesAreShownAlsoAfterTheEnd(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok")
	r.ready(v1, 2)
	if err := r.Retire(t.Context(), r.lease, shop, v1.ID); err != nil {
		t.Fatal(err)
	}
	lines, err := r.Logs(t.Context(), shop, v1.ID, 50)
	want := "[1] service begins in mode ok\n[2] service begins in mode ok"
	if got := strings.Join(lines, "\n"); err != nil || got != want {
		t.Errorf("the logs are %q, %v", got, err)
	}
	if _, err := r.Logs(t.Context(), shop, "nobody", 50); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("logs of a revision that never was: %v", err)
	}
}

func TestALogStaysSmallWhileTheServiceTalks(t *testing.T) {
	r := newRig(t)
	r.keep(r.Platform)
	v1 := r.revision("v1", "chatty")
	r.ready(v1, 1)
	log := filepath.Join(filepath.Dir(r.records()[0].path), "log")
	eventually(t, 10*time.Second, "the log was emptied, and its end put aside", func() bool {
		info, err := os.Stat(log + ".1")
		return err == nil && info.Size() > 0
	})
	if err := syscall.Kill(r.records()[0].PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the log is within its bound", func() bool {
		info, err := os.Stat(log)
		return err == nil && info.Size() <= 16<<20
	})
}

func TestADamagedStateFileIsNamedAndStaysAsItIs(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok")
	r.ready(v1, 1)
	pid := r.records()[0].PID
	file := r.path("target.json")
	if err := os.WriteFile(file, []byte(`{"fence":`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := r.Observe(t.Context(), shop)
	for what, err := range map[string]error{
		"observe": err,
		"place":   r.Place(t.Context(), r.lease, shop, v1, platform.Capacity{Instances: 1}),
		"route":   r.Route(t.Context(), r.lease, shop, platform.Weights{v1.ID: platform.Whole}),
		"retire":  r.Retire(t.Context(), r.lease, shop, v1.ID),
	} {
		if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), file) || fault.HintOf(err) == "" {
			t.Errorf("%s: %q %v", what, fault.CodeOf(err), err)
		}
	}
	if raw, _ := os.ReadFile(file); string(raw) != `{"fence":` || !running(pid) {
		t.Error("the damaged file was changed, or the service ended")
	}
}
