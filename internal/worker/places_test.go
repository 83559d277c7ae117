package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/worker"
)

// roomy gives what is asked for: jobs as many as there are places for, and to a full worker
// only what undoes.
type roomy struct {
	*server
	refuses atomic.Bool // what a server of version 3 of the wire does not know
	broken  atomic.Bool // a proxy before it does not let anything through
	// patience is how long a wish may wait, 10 ms where nothing is said.
	patience atomic.Int64
}

// leaseLook is how often it looks for what a wish waits for.
const leaseLook = 10 * time.Millisecond

func (s *roomy) Lease(ctx context.Context, ask stage.LeaseAsk) ([]stage.Task, error) {
	if s.broken.CompareAndSwap(true, false) {
		return nil, fault.Errorf(fault.Invalid, "too many requests")
	}
	s.mu.Lock()
	s.asks = append(s.asks, ask)
	s.mu.Unlock()
	if s.refuses.Load() && (ask.Jobs != nil || ask.Full) {
		return nil, errors.Join(stage.ErrUnread, fault.Errorf(fault.Invalid, "unexpected property"))
	}
	patience := max(time.Duration(s.patience.Load()), leaseLook)
	for end := time.Now().Add(min(ask.Wait, patience)); ; {
		given := s.give(ask)
		if len(given) > 0 || !time.Now().Before(end) {
			return given, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(time.Until(end), leaseLook)):
		}
	}
}

func (s *roomy) give(ask stage.LeaseAsk) (given []stage.Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs := ask.Max
	if ask.Jobs != nil {
		jobs = *ask.Jobs
	}
	s.tasks = slices.DeleteFunc(slices.Clone(s.tasks), func(t stage.Task) bool {
		job := t.Stage.RunsCommand() && !t.Undo
		if len(given) == ask.Max || ask.Full && !t.Undo || job && jobs == 0 {
			return false
		}
		if job {
			jobs--
		}
		given = append(given, t)
		return true
	})
	return given
}

func (s *roomy) add(tasks ...stage.Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks = append(s.tasks, tasks...)
}

func (s *roomy) asked() []stage.LeaseAsk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asks)
}

// atWork counts who is at work, and lets each end when it is told to.
type atWork struct {
	mu   sync.Mutex
	now  map[string]int // stages at work, by kind
	most map[string]int
	ids  map[string]bool
	ends map[string]chan struct{}
}

func newAtWork() *atWork {
	return &atWork{now: map[string]int{}, most: map[string]int{}, ids: map[string]bool{}, ends: map[string]chan struct{}{}}
}

func (a *atWork) Tick(ctx context.Context, t stage.Task) (stage.Outcome, error) {
	kind, end := string(t.Stage.Kind), a.end(t.ID)
	a.mu.Lock()
	a.ids[t.ID] = true
	a.now[kind]++
	a.most[kind] = max(a.most[kind], a.now[kind])
	a.mu.Unlock()
	select {
	case <-end:
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now[kind]--
	return stage.Outcome{Status: stage.Passed}, nil
}

func (a *atWork) end(id string) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ends[id] == nil {
		a.ends[id] = make(chan struct{})
	}
	return a.ends[id]
}

func (a *atWork) at(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ids[id]
}

func (a *atWork) are(kind pipeline.Kind, want int) func() bool {
	return func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.now[string(kind)] == want
	}
}

// work runs a worker with so many places until the test ends.
func work(t *testing.T, s worker.Server, greets worker.Greeter, e stage.Executor, parallel, jobs int) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	w := worker.New(worker.Config{
		Name: "w1", Server: s, Greeter: greets, Parallel: parallel, ParallelJobs: jobs, Log: slog.New(slog.DiscardHandler),
		Executors: map[pipeline.Kind]stage.Executor{pipeline.KindCanary: e, pipeline.KindJob: e, pipeline.KindWatch: e},
	})
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func aJob(id string) stage.Task {
	t := aTask(id)
	t.Stage = pipeline.Stage{Name: "migrate", Kind: pipeline.KindJob}
	return t
}

func undoing(t stage.Task) stage.Task {
	t.Undo = true
	return t
}

func TestAFullWorkerStillTakesWhatCannotWait(t *testing.T) {
	s, a := &roomy{server: newServer(aTask("c1"), aTask("c2"), aTask("c3"))}, newAtWork()
	work(t, s, nil, a, 2, 1)
	waitFor(t, "two canaries", a.are(pipeline.KindCanary, 2))
	s.add(undoing(aTask("u1")), undoing(aJob("u2")), undoing(aJob("u3")))
	waitFor(t, "what undoes", func() bool { return a.at("u1") && a.at("u2") && a.at("u3") })
	if a.at("c3") {
		t.Error("a canary that could wait was begun without a place")
	}
	for _, ask := range s.asked()[1:] {
		if !ask.Full || *ask.Jobs != 0 {
			t.Errorf("full, it asked %+v", ask)
		}
	}
	// Five are in hand and there are places for two: only when four have ended is one free.
	for _, id := range []string{"c1", "u1", "u2"} {
		close(a.end(id))
		hear(t, s.server)
	}
	n := len(s.asked())
	waitFor(t, "more wishes", func() bool { return len(s.asked()) > n+1 })
	if a.at("c3") {
		t.Error("it was begun before a place was free")
	}
	close(a.end("u3"))
	waitFor(t, "the canary that waited", func() bool { return a.at("c3") })
}

func TestJobsAreBoundedAndWatchesAreNot(t *testing.T) {
	s, a := &roomy{server: newServer()}, newAtWork()
	for i := range 5 {
		s.add(aJob(fmt.Sprint("j", i)))
	}
	for i := range 30 {
		watch := aTask(fmt.Sprint("w", i))
		watch.Stage = pipeline.Stage{Name: "watch", Kind: pipeline.KindWatch}
		s.add(watch)
	}
	work(t, s, nil, a, 100, 2)
	waitFor(t, "all watches", a.are(pipeline.KindWatch, 30))
	waitFor(t, "two jobs", a.are(pipeline.KindJob, 2))
	for i := range 5 {
		id := fmt.Sprint("j", i)
		waitFor(t, id, func() bool { return a.at(id) })
		close(a.end(id))
	}
	waitFor(t, "the end of the jobs", a.are(pipeline.KindJob, 0))
	if a.most[string(pipeline.KindJob)] != 2 {
		t.Errorf("%d jobs were at work at the same time", a.most[string(pipeline.KindJob)])
	}
}

// answering answers the end of c1 with a job.
type answering struct {
	*roomy
}

func (s answering) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	reply, err := s.roomy.Report(ctx, r)
	switch {
	case r.Left:
		s.add(aJob(r.Task))
	case r.Task == "c1" && r.Next:
		job := aJob("j2")
		return stage.Reply{Cancelled: true, Taken: true, Next: &job}, nil
	}
	return reply, err
}

func (s answering) Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error) {
	return oneByOne(ctx, s, signs)
}

func TestAJobThatComesWithAnAnswerWaitsForAPlaceOfJobs(t *testing.T) {
	s, a := answering{&roomy{server: newServer(aJob("j1"), aTask("c1"))}}, newAtWork()
	work(t, s, nil, a, 10, 1)
	waitFor(t, "both", func() bool { return a.at("j1") && a.at("c1") })
	close(a.end("c1"))
	for {
		if r := hear(t, s.server); r.Left {
			if r.Task != "j2" {
				t.Errorf("left was %+v", r)
			}
			break
		}
	}
	n := len(s.asked())
	waitFor(t, "more wishes", func() bool { return len(s.asked()) > n+1 })
	if a.at("j2") {
		t.Error("it was begun beside another job")
	}
	close(a.end("j1"))
	waitFor(t, "the job", func() bool { return a.at("j2") })
}

func TestAWorkerWhoseLastPlaceIsTakenWishesForWhatCannotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := &roomy{server: newServer()}, newAtWork()
		work(t, s, nil, a, 1, 1)
		for _, task := range []stage.Task{aTask("c1"), undoing(aTask("u1"))} {
			time.Sleep(time.Second)
			s.add(task)
		}
		time.Sleep(time.Second)
		if !a.at("c1") || !a.at("u1") {
			t.Errorf("it asked %+v", s.asked())
		}
	})
}

// A wish for what cannot wait lies at the server meanwhile, for as long as that likes.
func TestAPlaceThatBecomesFreeIsUsedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := &roomy{server: newServer(aTask("c1"))}, newAtWork()
		s.patience.Store(int64(time.Minute))
		work(t, s, nil, a, 1, 1)
		time.Sleep(time.Second)
		began := time.Now()
		s.add(aTask("c2"))
		close(a.end("c1"))
		synctest.Wait()
		time.Sleep(leaseLook)
		if !a.at("c2") {
			t.Fatalf("after %s it was not begun; it asked %+v", time.Since(began), s.asked())
		}
		if asked := s.asked(); len(asked) != 3 || !asked[1].Full || asked[2].Full || asked[2].Max != 1 {
			t.Errorf("it asked %+v", asked)
		}
		s.add(undoing(aTask("u1"))) // the first wish for what cannot wait still lies there
		time.Sleep(leaseLook)
		synctest.Wait()
		if !a.at("u1") {
			t.Error("what undoes was not begun")
		}
	})
}

// Whatever an older server gives may be a job, and it gives it to whoever asks.
func TestAFullWorkerAsksNoOlderServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		older := &greeter{server: newServer(), welcome: stage.Welcome{Wire: 3, OldestWire: 1}}
		s, a := &roomy{server: older.server}, newAtWork()
		s.refuses.Store(true)
		s.add(aTask("c1"), aTask("c2"), aTask("c3"))
		work(t, s, older, a, 2, 5)
		time.Sleep(time.Minute)
		if n := len(s.asked()); n != 1 || !a.at("c1") || !a.at("c2") {
			t.Fatalf("it asked %d times while it had places once", n)
		}
		close(a.end("c1"))
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if !a.at("c3") {
			t.Error("with a place free it does not ask")
		}
	})
}

// The server may be replaced while it waits for a place, and a rollback cannot wait for that.
func TestAFullWorkerNoticesThatItsServerIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &greeter{server: newServer(), welcome: stage.Welcome{Wire: 3, OldestWire: 1}}
		s, a := &roomy{server: g.server}, newAtWork()
		s.refuses.Store(true)
		s.add(aTask("c1"))
		work(t, s, g, a, 1, 1)
		time.Sleep(10 * time.Second)
		s.refuses.Store(false)
		g.set(func() { g.welcome = now() })
		undoing := aTask("u1")
		undoing.Undo = true
		s.add(undoing)
		time.Sleep(time.Minute + time.Second)
		if !a.at("u1") {
			t.Errorf("it takes back nothing; it asked %+v", s.asked())
		}
	})
}

// What else refuses a wish says nothing about the version of the server.
func TestAWishThatIsRefusedOtherwiseIsMadeAgainAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &greeter{server: newServer(), welcome: now()}
		s, a := &roomy{server: g.server}, newAtWork()
		s.broken.Store(true)
		work(t, s, g, a, 2, 1)
		time.Sleep(time.Second)
		if asked := s.asked(); len(asked) == 0 || asked[0].Jobs == nil {
			t.Errorf("it asked %+v", asked)
		}
	})
}

// Behind one address may be servers of several builds.
func TestAServerThatRefusesNewWordsIsAskedInOldOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mixed := &greeter{server: newServer(), welcome: now()}
		s, a := &roomy{server: mixed.server}, newAtWork()
		s.refuses.Store(true)
		s.add(aTask("c1"))
		work(t, s, mixed, a, 2, 1)
		time.Sleep(time.Second)
		if !a.at("c1") {
			t.Errorf("it asked %+v", s.asked())
		}
	})
}
