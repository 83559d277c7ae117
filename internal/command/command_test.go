package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/fault"
)

func TestACommandEndsWithItsStatusAndItsWords(t *testing.T) {
	r := newRig(t)
	if s := r.observe("job"); s.Phase != command.None {
		t.Errorf("before its start it is %+v", s)
	}
	for script, want := range map[string]struct{ how, output string }{
		"echo all well":       {"", "all well\n"},
		"echo no >&2; exit 3": {"exit status 3", "no\n"},
		"kill -KILL $$":       {"signal: killed", ""},
		"printf 'no end'":     {"", "no end"},
		"test -z \"$HOME$USER$SHLVL$FAIRWAY_TOKEN\" || env": {"", ""},
	} {
		t.Setenv("FAIRWAY_TOKEN", "of the worker")
		s := r.run(script, shell("unset SHLVL; "+script))
		if s.Phase != command.Ended || s.How != want.how || s.Output != want.output || s.EndedAt.Before(s.StartedAt) {
			t.Errorf("%s: it is %+v", script, s)
		}
	}
}

func TestACommandThatCannotBeStartedSaysWhy(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"no-such-program": "could not be started: no-such-program: executable file not found",
		"/no/such/thing":  "could not be started: /no/such/thing: no such file",
		file:              "permission denied",
	} {
		s := r.run(name, command.Spec{Args: []string{name}, Env: map[string]string{"PATH": os.Getenv("PATH")}})
		if s.Phase != command.Ended || !strings.Contains(s.How, want) {
			t.Errorf("%s: it is %+v", name, s)
		}
	}
	s := r.run("beside", command.Spec{Args: []string{"./migrate", "up"}, Env: map[string]string{"PATH": os.Getenv("PATH")}, Dir: filepath.Dir(file)})
	if want := "./migrate: no such file or directory (its working folder is " + filepath.Dir(file) + ")"; !strings.HasSuffix(s.How, want) {
		t.Errorf("without its program it is %+v", s)
	}
	s = r.run("elsewhere", command.Spec{Args: []string{"true"}, Env: map[string]string{"PATH": os.Getenv("PATH")}, Dir: "/no/such/folder"})
	if !strings.Contains(s.How, "/no/such/folder: no such file") {
		t.Errorf("without its folder it is %+v", s)
	}
	if err := r.Start(t.Context(), "nothing", command.Spec{}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("no command at all: %v", err)
	}
}

func TestACommandRunsInItsFolderWithItsEnvironment(t *testing.T) {
	r := newRig(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte("#!/bin/sh\npwd; printf %s \"$ODD\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	odd := "a=b \"c\"\n\xff\xfe $HOME"
	s := r.run("job", command.Spec{Args: []string{"./script"}, Env: map[string]string{"PATH": os.Getenv("PATH"), "ODD": odd}, Dir: dir})
	if want := dir + "\n" + strings.ToValidUTF8(odd, "�"); s.Output != want || !s.Good() {
		t.Errorf("it is %+v, want %q", s, want)
	}
}

func TestACommandHasAnEmptyFolderOfItsOwn(t *testing.T) {
	r := newRig(t)
	for _, id := range []string{"one", "two"} {
		if s := r.run(id, shell("pwd; ls; touch left")); s.Output != filepath.Join(r.folder, "@"+id, "work")+"\n" {
			t.Errorf("%s: it is %+v", id, s)
		}
	}
	r.stop("one") // which waits until its supervisor has ended too
	if err := r.Forget("one"); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(r.folder, "@one*")); len(left) > 0 {
		t.Errorf("forgotten, it leaves %v", left)
	}
}

func TestOnlyTheEndOfAHugeOutputIsKept(t *testing.T) {
	r := newRig(t)
	s := r.run("job", shell("yes abcdefg | head -c 50000000; echo the end"))
	if !s.Good() || len(s.Output) > 16<<10 || !strings.HasSuffix(s.Output, "abcdefg\nthe end\n") {
		t.Errorf("it is %s %s with %d bytes", s.Phase, s.How, len(s.Output))
	}
	var size int64
	_ = filepath.WalkDir(r.folder, func(_ string, e os.DirEntry, _ error) error {
		if info, err := e.Info(); err == nil && !e.IsDir() {
			size += info.Size()
		}
		return nil
	})
	if size > 64<<10 {
		t.Errorf("%d bytes lie in the folder", size)
	}
}

func TestASecretAtTheEdgeOfAHugeOutputIsNotTold(t *testing.T) {
	r := newRig(t)
	spec := shell("i=0; while [ $i -lt 9000 ]; do printf 'correct-horse-battery'; i=$((i+1)); done")
	spec.Secrets = map[string]string{"P": "correct-horse-battery"}
	s := r.run("job", spec)
	if rest := strings.ReplaceAll(s.Output, "[secret P]", ""); !s.Good() || strings.Contains(rest, "corr") || strings.Contains(rest, "tery") || strings.Contains(rest, "horse") {
		t.Errorf("it told %.100q", rest)
	}
}

func TestAProgressIsSeenWhileItRuns(t *testing.T) {
	r := newRig(t)
	r.start("job", shell("echo step 1; sleep 0.6; echo step 2; sleep 5"))
	for _, step := range []string{"step 1\n", "step 1\nstep 2\n"} {
		eventually(t, 5*time.Second, step, func() bool {
			s := r.observe("job")
			return s.Phase == command.Running && s.Output == step
		})
	}
	r.stop("job")
}

func TestOfManyStartsOneCounts(t *testing.T) {
	r := newRig(t)
	effects, count := r.effects()
	spec := shell("echo ran >> " + effects + "; sleep 0.2")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := r.open(command.Config{}).Start(t.Context(), "job", spec); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if s := r.run("job", spec); !s.Good() || count() != 1 {
		t.Errorf("it is %+v, and its effect happened %d times", s, count())
	}
	r.start("job", spec)
	if s := r.run("job", spec); !s.Good() || count() != 1 {
		t.Errorf("started when it had ended it is %+v, and its effect happened %d times", s, count())
	}
}

// A stop, and what forgets, trust the lock of the supervisor: it must last as long as
// the supervisor does, whatever its garbage collector does.
func TestTheLockLastsAsLongAsTheSupervisor(t *testing.T) {
	r := newRig(t)
	c := r.open(command.Config{ExecCommand: []string{os.Args[0], "collecting-command-exec"}})
	script := "trap 'echo trapped; exit 3' TERM; sleep 0.3; echo ready; while :; do sleep 0.02; done"
	if err := c.Start(t.Context(), "job", shell(script)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "it is ready", func() bool { return r.observe("job").Output == "ready\n" })
	if err := r.Forget("job"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("forgotten while it runs: %v", err)
	}
	r.stop("job")
	if s := r.observe("job"); s.Phase != command.Stopped || s.How != "exit status 3" || !strings.HasSuffix(s.Output, "\ntrapped\n") {
		t.Errorf("stopped it is %+v", s)
	}
}

func TestWhatHasEndedIsStoppedAndForgotten(t *testing.T) {
	r := newRig(t)
	r.stop("never")
	if s := r.observe("never"); s.Phase != command.Stopped {
		t.Errorf("stopped before it began it is %+v", s)
	}
	r.run("job", shell("exit 4"))
	r.stop("job")
	r.stop("job")
	if s := r.observe("job"); s.Phase != command.Ended || s.How != "exit status 4" {
		t.Errorf("stopped when it had ended it is %+v", s)
	}
	r.start("long", shell("sleep 100"))
	if err := r.Forget("long"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("forgotten while it runs: %v", err)
	}
	r.stop("long")
	for _, id := range []string{"job", "long", "never", "unknown"} {
		if err := r.Forget(id); err != nil {
			t.Error(err)
		}
		if s := r.observe(id); s.Phase != command.None {
			t.Errorf("forgotten, %s is %+v", id, s)
		}
	}
}

func TestWhatIsLongOverIsForgottenAndWhatRunsIsNot(t *testing.T) {
	r := newRig(t)
	r.run("old", shell("true"))
	r.stop("old") // which waits until its supervisor has ended too
	r.start("running", shell("sleep 100"))
	now := time.Now().Add(29 * 24 * time.Hour)
	later := r.open(command.Config{Now: func() time.Time { return now }})
	if s, _ := later.Observe("old"); s.Phase != command.Ended {
		t.Errorf("after 29 days it is %+v", s)
	}
	now = now.Add(48 * time.Hour)
	if err := later.Prune(); err != nil {
		t.Fatal(err)
	}
	if s, _ := later.Observe("old"); s.Phase != command.None {
		t.Errorf("after 31 days it is %+v", s)
	}
	if s := r.observe("running"); s.Phase != command.Running {
		t.Errorf("what runs is %+v", s)
	}
	r.stop("running")
}

func TestAFolderKnowsItself(t *testing.T) {
	r := newRig(t)
	if again := r.open(command.Config{}); again.Where() != r.Where() || r.Where() == "" {
		t.Errorf("it is %q and then %q", r.Where(), again.Where())
	}
	if other := newRig(t); other.Where() == r.Where() {
		t.Error("two folders are the same")
	}
}
