package command_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/command"
)

// Wherever the worker is killed, the next one finds the command, its effect happens
// once, and its result is known.
func TestAWorkerMayBeKilledAtAnyPoint(t *testing.T) {
	exists := func(name string) func(*rig) bool {
		return func(r *rig) bool {
			found, _ := filepath.Glob(filepath.Join(r.folder, "@job", name))
			return len(found) > 0
		}
	}
	after := func(d time.Duration) func(*rig) bool {
		begin := time.Now()
		return func(*rig) bool { return time.Since(begin) > d }
	}
	type kill struct {
		at, exec string
		when     func() func(*rig) bool
	}
	at := func(name string) func() func(*rig) bool { return func() func(*rig) bool { return exists(name) } }
	kills := []kill{
		{"the folder", "command-exec", at("")},
		{"the log", "command-exec", at("log")},
		{"the fork", "slow-command-exec", func() func(*rig) bool { return func(r *rig) bool { return len(r.processes()) > 1 } }},
		{"the lock", "command-exec", at("lock")},
		{"the record", "command-exec", at("record.json")},
		{"the first output", "command-exec", at("output")},
		{"the result", "command-exec", at("result.json")},
	}
	for ms := 5; ms <= 225; ms += 20 {
		kills = append(kills, kill{fmt.Sprintf("%d ms", ms), "command-exec", func() func(*rig) bool { return after(time.Duration(ms) * time.Millisecond) }})
	}
	for _, k := range kills {
		t.Run("after "+k.at, func(t *testing.T) {
			r := newRig(t)
			effects, count := r.effects()
			script := "echo ran >> " + effects + "; echo half way; sleep 0.1; exit 7"
			w := r.worker(k.exec, script)
			when := k.when()
			eventually(t, 10*time.Second, "the point is reached", func() bool { return when(r) })
			_ = w.Process.Kill()
			_ = w.Wait()
			s := r.run("job", shell(script))
			if s.Phase != command.Ended || s.How != "exit status 7" || s.Output != "half way\n" {
				t.Errorf("it is %+v", s)
			}
			eventually(t, 5*time.Second, "nothing runs any more", func() bool { return len(r.processes()) == 0 })
			if count() != 1 {
				t.Errorf("its effect happened %d times", count())
			}
		})
	}
}

func TestAStopComesBeforeAStartThatIsUnderWay(t *testing.T) {
	r := newRig(t)
	effects, count := r.effects()
	script := "echo ran >> " + effects
	w := r.worker("slow-command-exec", script)
	eventually(t, 5*time.Second, "the supervisor was forked", func() bool { return len(r.processes()) > 1 })
	_ = w.Process.Kill()
	_ = w.Wait()
	r.stop("job")
	eventually(t, 5*time.Second, "the supervisor has ended", func() bool { return len(r.processes()) == 0 })
	if s := r.observe("job"); s.Phase != command.Stopped || count() != 0 {
		t.Errorf("it is %+v, and its effect happened %d times", s, count())
	}
	r.start("job", shell(script))
	if s := r.observe("job"); s.Phase != command.Stopped || count() != 0 {
		t.Errorf("started late it is %+v, and its effect happened %d times", s, count())
	}
}

// Stops and starts meet at every instant: either the effect is there and known, or
// it never comes.
func TestAStopAndAStartMeet(t *testing.T) {
	for i := range 25 {
		r := newRig(t)
		effects, count := r.effects()
		w := r.worker("command-exec", "sleep 0.02; echo ran >> "+effects)
		time.Sleep(time.Duration(i) * 4 * time.Millisecond) // the instant at which they meet
		r.stop("job")
		before := count()
		s := r.observe("job")
		if s.Phase != command.Stopped && (s.Phase != command.Ended || before != 1) {
			t.Errorf("after a stop at %d ms it is %+v with %d effects", 4*i, s, before)
		}
		_ = w.Wait()
		eventually(t, 5*time.Second, "nothing runs any more", func() bool { return len(r.processes()) == 0 })
		if count() != before {
			t.Errorf("after a stop at %d ms its effect came", 4*i)
		}
	}
}

func TestStoppedACommandEndsWithAllThatItStarted(t *testing.T) {
	r := newRig(t)
	r.start("job", r.marked("sleep 100 & (sleep 100; true) & set -m; sleep 100 & echo begun; wait"))
	eventually(t, 5*time.Second, "it has begun", func() bool { return strings.Contains(r.observe("job").Output, "begun") })
	r.stop("job")
	if left := r.processes(); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	if s := r.observe("job"); s.Phase != command.Stopped || s.How != "signal: terminated" {
		t.Errorf("it is %+v", s)
	}
}

func TestACommandThatIgnoresSIGTERMIsKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start("job", r.marked("trap '' TERM; echo begun; sleep 100; sleep 100"))
	eventually(t, 5*time.Second, "it has begun", func() bool { return strings.Contains(r.observe("job").Output, "begun") })
	begin := time.Now()
	r.stop("job")
	if took := time.Since(begin); took < 4*time.Second || took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if s := r.observe("job"); s.Phase != command.Stopped || s.How != "signal: killed" || len(r.processes()) > 0 {
		t.Errorf("it is %+v, and %v are left", s, r.processes())
	}
}

func TestASupervisorThatHangsIsKilledToo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start("job", r.marked("echo begun; sleep 100"))
	eventually(t, 5*time.Second, "it has begun", func() bool { return strings.Contains(r.observe("job").Output, "begun") })
	if err := syscall.Kill(r.supervisor("job"), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r.stop("job")
	if s := r.observe("job"); s.Phase != command.Lost || len(r.processes()) > 0 {
		t.Errorf("it is %+v, and %v are left", s, r.processes())
	}
}

func (r *rig) supervisor(id string) int {
	r.t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.folder, "@"+id, "record.json"))
	var record struct{ PID int }
	if err == nil {
		err = json.Unmarshal(raw, &record)
	}
	if err != nil || record.PID < 2 {
		r.t.Fatalf("no supervisor of %s: %v", id, err)
	}
	return record.PID
}

func TestWithoutItsSupervisorTheResultIsUnknownAndNothingRuns(t *testing.T) {
	r := newRig(t)
	effects, count := r.effects()
	spec := r.marked("echo ran >> " + effects + "; echo begun; sleep 100; sleep 100")
	r.start("job", spec)
	eventually(t, 5*time.Second, "it has begun", func() bool { return strings.Contains(r.observe("job").Output, "begun") })
	_ = syscall.Kill(r.supervisor("job"), syscall.SIGKILL)
	eventually(t, 5*time.Second, "the supervisor is gone", func() bool { return r.observe("job").Phase != command.Running })
	s := r.observe("job")
	if s.Phase != command.Lost || !strings.Contains(s.How, "unknown") || !strings.Contains(s.Output, "begun") {
		t.Errorf("it is %+v", s)
	}
	if left := r.processes(); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	r.start("job", spec)
	if s := r.observe("job"); s.Phase != command.Lost || count() != 1 {
		t.Errorf("started again it is %+v, and its effect happened %d times", s, count())
	}
}

func TestWhatACommandLeavesRunningEndsWithIt(t *testing.T) {
	r := newRig(t)
	s := r.run("job", r.marked("sleep 100 & sleep 100 > /dev/null 2>&1 & echo done"))
	if !s.Good() || s.Output != "done\n" {
		t.Errorf("it is %+v", s)
	}
	eventually(t, 5*time.Second, "nothing is left", func() bool { return len(r.processes()) == 0 })
}

func TestAFullDiskLosesNoResult(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a small disk can only be mounted by root")
	}
	r := newRig(t)
	if err := syscall.Mount("tmpfs", r.folder, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(r.folder, syscall.MNT_DETACH) })
	r.Commands = r.open(command.Config{})
	r.start("job", r.marked("sleep 0.2; exit 3"))
	filler := filepath.Join(r.folder, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not small")
	}
	eventually(t, 5*time.Second, "the command has ended", func() bool { return len(r.processes()) == 1 })
	if s := r.observe("job"); s.Phase != command.Running {
		t.Errorf("before its result is written it is %+v", s)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if s := r.run("job", command.Spec{}); s.How != "exit status 3" {
		t.Errorf("it is %+v", s)
	}
}

func TestNothingOfTheEnvironmentIsSeenFromOutside(t *testing.T) {
	r := newRig(t)
	spec := r.marked(`printf 'pass %s' "$PASSWORD"; printf 'hun'; sleep 0.4; echo ter2; sleep 0.2`)
	spec.Env["PASSWORD"], spec.Secrets = "hunter2", map[string]string{"PASSWORD": "hunter2"}
	r.start("job", spec)
	pid := r.supervisor("job")
	for _, file := range []string{"cmdline", "environ"} {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err != nil || strings.Contains(string(raw), "hunter2") {
			t.Errorf("the supervisor's %s is %q, %v", file, raw, err)
		}
	}
	s := r.run("job", spec)
	if s.Output != "pass [secret PASSWORD][secret PASSWORD]\n" {
		t.Errorf("it printed %q", s.Output)
	}
	err := filepath.WalkDir(r.folder, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v, %v", path, info.Mode(), err)
		}
		if raw, _ := os.ReadFile(path); strings.Contains(string(raw), "hunter2") {
			t.Errorf("the secret lies in %s", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
