package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/worker"
)

// life runs a worker with a journal until the returned function ends it, as a kill would:
// nothing is told any more.
func life(t *testing.T, s worker.Server, folder string, e stage.Executor) (kill func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	w := worker.New(worker.Config{
		Name: "w1", Server: s, Parallel: 2, Journal: folder, Log: slog.New(slog.DiscardHandler),
		Executors: map[pipeline.Kind]stage.Executor{pipeline.KindCanary: e},
	})
	go func() { defer close(ended); _ = w.Run(ctx) }()
	kill = func() { stop(); <-ended }
	t.Cleanup(kill)
	return kill
}

// counting is an executor whose state is how often it ticked; it hands every task out.
func counting(ticks chan stage.Task, end func(n int, out *stage.Outcome)) executor {
	return func(task stage.Task) (stage.Outcome, error) {
		n := 0
		_ = json.Unmarshal(task.State, &n)
		n++
		out := stage.Outcome{
			Status: stage.Continue, State: json.RawMessage(fmt.Sprint(n)), Lines: []stage.Line{{Kind: "canary.said", Text: fmt.Sprint(n)}},
			Progress: &stage.Progress{Weight: 0.1},
		}
		if end != nil {
			end(n, &out)
		}
		ticks <- task
		return out, nil
	}
}

// drain lets the ticks that still come end.
func drain(t *testing.T, ticks chan stage.Task) {
	go func() {
		for {
			select {
			case <-ticks:
			case <-t.Context().Done():
				return
			}
		}
	}()
}

func journals(t *testing.T, folder string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, "*.journal"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAWorkerThatIsKilledWhileCutOffGoesOnFromItsJournal(t *testing.T) {
	folder := t.TempDir()
	s := newServer(aTask("t1"))
	ticks := make(chan stage.Task)
	kill := life(t, s, folder, counting(ticks, nil))
	<-ticks
	hear(t, s)
	s.set(true)
	for range 5 {
		<-ticks
	}
	drain(t, ticks)
	kill()
	if len(journals(t, folder)) != 1 {
		t.Fatalf("there are the journals %v", journals(t, folder))
	}

	again := make(chan stage.Task)
	life(t, s, folder, counting(again, nil))
	first := <-again
	var n int
	if err := json.Unmarshal(first.State, &n); err != nil || n < 5 {
		t.Errorf("it goes on with the state %s: %v", first.State, err)
	}
	if first.Fence != 3 || first.Hold == "" {
		t.Errorf("it goes on with fence %d, held by %q", first.Fence, first.Hold)
	}
	s.set(false)
	heardOf := map[string]int{}
	for last := int64(1); len(heardOf) < n; {
		select {
		case <-again:
		case r := <-s.heard:
			if r.Alive {
				continue
			}
			if r.Number < last || r.Late || r.Fence != 3 {
				t.Errorf("after %d came %+v", last, r)
			}
			last = r.Number
			for _, l := range r.Outcome.Lines {
				heardOf[l.Text]++
			}
		}
	}
	for text, times := range heardOf {
		if times != 1 {
			t.Errorf("%q was told %d times", text, times)
		}
	}
	drain(t, again)
	s.mu.Lock()
	holding := s.asks[len(s.asks)-1].Holding
	s.mu.Unlock()
	if len(holding) != 1 || holding[0] != "t1" {
		t.Errorf("the worker asks for tasks without saying that it has %v", holding)
	}
}

// watching is a server that copies the journals when it hears a report of the number, as they
// are left by a worker that is killed before the answer.
type watching struct {
	*server
	t        *testing.T
	from, to string
	number   int64
}

func (w watching) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	if r.Number == w.number {
		for _, path := range journals(w.t, w.from) {
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(filepath.Join(w.to, filepath.Base(path)), text, 0o600)
			}
			if err != nil {
				w.t.Error(err)
			}
		}
	}
	return w.server.Report(ctx, r)
}

// A journal that is there because the canary had traffic is of the last report also when it
// has none any more: who went on from an older one would give another report the number that
// the server knows.
func TestAJournalIsOfTheLastReportThatWasCut(t *testing.T) {
	s := watching{server: newServer(aTask("t1")), t: t, from: t.TempDir(), to: t.TempDir(), number: 2}
	ticks := make(chan stage.Task, 100)
	kill := life(t, s, s.from, counting(ticks, func(n int, out *stage.Outcome) {
		if n == 2 {
			out.Progress.Weight, out.After = 0, time.Hour
		}
	}))
	first, second := hear(t, s.server), hear(t, s.server)
	kill()
	if first.Number != 1 || second.Number != 2 || len(journals(t, s.to)) != 1 {
		t.Fatalf("it told %d and %d, and left %v", first.Number, second.Number, journals(t, s.to))
	}

	later := newServer()
	life(t, later, s.to, counting(ticks, nil))
	again := hear(t, later)
	if again.Number != 2 || string(again.Outcome.State) != string(second.Outcome.State) || len(again.Outcome.Lines) != 1 || again.Outcome.Lines[0].Text != "2" {
		t.Errorf("its next life tells first %+v, want the second report again: %+v", again, second)
	}
}

// A disk that was full, or a folder that was not there, is tried again with all there is.
func TestAJournalThatCouldNotBeWrittenIsWrittenWholeLater(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "worker")
	s := newServer(aTask("t1"))
	ticks := make(chan stage.Task)
	kill := life(t, s, folder, counting(ticks, nil))
	<-ticks
	hear(t, s)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // no folder can be there
		t.Fatal(err)
	}
	s.set(true)
	for range 4 {
		<-ticks
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	for n := 0; len(journals(t, folder)) == 0; n++ {
		if n == 20 {
			t.Fatal("the journal is not written again")
		}
		<-ticks
	}
	for range 2 { // which are appended
		<-ticks
	}
	drain(t, ticks)
	kill()

	s.set(false)
	told := map[string]int{}
	life(t, s, folder, counting(make(chan stage.Task, 1000), func(int, *stage.Outcome) {}))
	for len(told) < 7 {
		for _, l := range hear(t, s).Outcome.Lines {
			told[l.Text]++
		}
	}
	for n := 2; n <= 7; n++ {
		if told[fmt.Sprint(n)] != 1 {
			t.Errorf("what came of tick %d was told %d times", n, told[fmt.Sprint(n)])
		}
	}
}

func TestAJournalEndsWithItsTask(t *testing.T) {
	folder := t.TempDir()
	s := newServer(aTask("t1"))
	ticks := make(chan stage.Task, 100)
	life(t, s, folder, counting(ticks, func(n int, out *stage.Outcome) {
		switch n {
		case 2:
			s.set(true)
		case 4:
			out.Status, out.Reason = stage.Failed, "bad"
			s.set(false)
		}
	}))
	for {
		if r := hear(t, s); r.Outcome.Status == stage.Failed {
			break
		}
	}
	waitFor(t, "the journal is gone", func() bool { return len(journals(t, folder)) == 0 })
}

// What it would go on from later, the server has long been told otherwise.
func TestAJournalOfATaskWithoutTrafficEndsWhenTheServerIsBack(t *testing.T) {
	folder := t.TempDir()
	s := newServer(aTask("t1"))
	ticks := make(chan stage.Task)
	life(t, s, folder, counting(ticks, func(_ int, out *stage.Outcome) { out.Progress.Weight = 0 }))
	<-ticks
	hear(t, s)
	s.set(true)
	for range 3 {
		<-ticks
	}
	waitFor(t, "there is a journal", func() bool { return len(journals(t, folder)) == 1 })
	drain(t, ticks)
	s.set(false)
	waitFor(t, "the journal is gone", func() bool { return len(journals(t, folder)) == 0 })
}

func TestATornJournalIsReadAsFarAsItIsWhole(t *testing.T) {
	folder := t.TempDir()
	s := newServer(aTask("t1"))
	ticks := make(chan stage.Task)
	kill := life(t, s, folder, counting(ticks, nil))
	<-ticks
	hear(t, s)
	s.set(true)
	for range 4 {
		<-ticks
	}
	drain(t, ticks)
	kill()
	file := journals(t, folder)[0]
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	if len(lines) < 3 {
		t.Fatalf("the journal has %d lines", len(lines))
	}
	for name, text := range map[string]string{
		"a torn tail":    string(whole) + lines[1][:len(lines[1])/2],
		"a changed tail": string(whole) + strings.Replace(lines[1], "canary.said", "canary.lied", 1),
		"whole":          string(whole),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		again := make(chan stage.Task, 100)
		kill := life(t, s, folder, counting(again, nil))
		first := <-again
		if string(first.State) == "" || first.Hold == "" {
			t.Errorf("%s: it goes on with %q", name, first.State)
		}
		for range 2 {
			<-again
		}
		kill()
		again = make(chan stage.Task, 100)
		kill = life(t, s, folder, counting(again, nil))
		if second := <-again; fmt.Sprintf("%9s", second.State) <= fmt.Sprintf("%9s", first.State) {
			t.Errorf("%s: the life after goes on with %s, after %s", name, second.State, first.State)
		}
		kill()
	}
	if err := os.WriteFile(file, []byte("00000000 {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	life(t, s, folder, counting(make(chan stage.Task, 100), nil))
	waitFor(t, "what cannot be read is set aside", func() bool {
		_, err := os.Stat(file + ".unreadable")
		return err == nil
	})
}

// What a worker did while it was cut off is told also where somebody else has the task now.
func TestWhatWasDoneWhileCutOffIsToldLate(t *testing.T) {
	for name, end := range map[string]func(*stage.Outcome) error{
		"it goes on":              func(*stage.Outcome) error { return nil },
		"the stage has failed":    func(out *stage.Outcome) error { out.Status, out.Reason = stage.Failed, "bad"; return nil },
		"the target is another's": func(*stage.Outcome) error { return platform.Fenced(platform.Target{}, 3, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(aTask("t1"))
			n := 0
			lost := make(chan struct{})
			start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
				n++
				out := stage.Outcome{Status: stage.Continue, Lines: []stage.Line{{Kind: "canary.said", Text: fmt.Sprint(n)}}}
				if n == 2 {
					s.set(true)
				}
				if n == 6 {
					close(lost)
				}
				if n >= 6 {
					err := end(&out)
					return out, err
				}
				return out, nil
			}), 1)
			hear(t, s)
			<-lost
			s.mu.Lock()
			s.reply = stage.Reply{Cancelled: true}
			s.down = false
			s.mu.Unlock()
			told := map[string]bool{}
			for !told["5"] {
				r := hear(t, s)
				if r.Late {
					for _, l := range r.Outcome.Lines {
						told[l.Text] = true
					}
				}
			}
			for i := 2; i < 6; i++ {
				if !told[fmt.Sprint(i)] {
					t.Errorf("line %d was not told late, but %v", i, told)
				}
			}
		})
	}
}

func TestATaskOfANewerFairwayThatIsAnothersIsToldLate(t *testing.T) {
	folder := t.TempDir()
	s := newServer(aTask("t1"))
	ticks := make(chan stage.Task)
	kill := life(t, s, folder, counting(ticks, nil))
	<-ticks
	hear(t, s)
	s.set(true)
	<-ticks
	<-ticks
	drain(t, ticks)
	kill()
	s.mu.Lock()
	s.down, s.reply = false, stage.Reply{Cancelled: true}
	s.mu.Unlock()
	life(t, s, folder, executor(func(stage.Task) (stage.Outcome, error) { return stage.Outcome{}, stage.ErrNewer }))
	waitFor(t, "the journal is gone", func() bool { return len(journals(t, folder)) == 0 })
	for r := hear(t, s); !r.Late; {
		r = hear(t, s)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-limit.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
