package process_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/fairwayhq/fairway/internal/process"
)

// sleeper starts a process in a session of its own, with a child.
func sleeper(t *testing.T) (*exec.Cmd, process.Process) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "sleep 100 & echo; wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.SignalGroup(cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, 1)); err != nil { // its child has been started
		t.Fatal(err)
	}
	who, err := process.Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, who
}

func TestAProcessIsKnownByItsPidAndItsStart(t *testing.T) {
	cmd, who := sleeper(t)
	other := who
	other.Start += "0"
	if !who.Alive() || other.Alive() || (process.Process{}).Alive() {
		t.Error("who lives is mistaken")
	}
	_ = cmd.Process.Kill()
	for who.Alive() { // a zombie does not live
	}
	if _, err := process.Identify(who.PID); err == nil {
		t.Error("a dead process is identified")
	}
}

func TestWhatADeadProcessLeftIsFoundAndEnded(t *testing.T) {
	cmd, who := sleeper(t)
	_ = cmd.Process.Kill()
	for who.Alive() {
	}
	before := who
	before.Start = "another boot:1"
	if left := process.Remnants("", before); len(left) > 0 {
		t.Errorf("of another boot %v is left", left)
	}
	if left := process.Remnants("", who); len(left) != 1 {
		t.Errorf("left is %v", left)
	}
	process.Sweep("", who)
	for len(process.Remnants("", who)) > 0 {
	}
}

func TestARecordIsReplacedAsAWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record.json")
	if _, found, err := process.ReadRecord[[]int](path); found || err != nil {
		t.Errorf("before it was written: %v %v", found, err)
	}
	for _, want := range [][]int{{1, 2, 3}, {4}} {
		if err := process.WriteRecord(path, want); err != nil {
			t.Fatal(err)
		}
		if got, found, err := process.ReadRecord[[]int](path); !found || err != nil || !slices.Equal(got, want) {
			t.Errorf("read %v %v %v", got, found, err)
		}
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("%d files are left", len(entries))
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var broken *process.BrokenError
	if _, _, err := process.ReadRecord[[]int](path); !errors.As(err, &broken) || broken.Path != path {
		t.Errorf("a broken record: %v", err)
	}
}

func TestALockIsHeldByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := process.TryLock(path, syscall.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := process.TryLock(path, syscall.LOCK_SH); !errors.Is(err, process.ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	unlock()
	again, err := process.TryLock(path, syscall.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestAHeldLockOutlivesACollection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := process.HoldLock(path); err != nil {
		t.Fatal(err)
	}
	for range 3 { // a file that is found at one collection is closed some time after it
		runtime.GC()
	}
	if err := process.HoldLock(path); !errors.Is(err, process.ErrLocked) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := process.TryLock(path, syscall.LOCK_SH); !errors.Is(err, process.ErrLocked) {
		t.Errorf("a shared one: %v", err)
	}
}
