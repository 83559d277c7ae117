package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/router"
)

// sampler looks at the router's table fifty times a second, and at the process
// table five times, and notes what must never be.
type sampler struct {
	router *router.Client
	home   string         // folder of the host platform
	most   map[string]int // instances that a target's revisions may have
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	wrong  []string
	looks  int
	fences map[string]int64
	needs  [][]need // of the releases under way
	serial int64
}

func startSampler(r *rig) *sampler {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sampler{
		router: r.router, home: r.path("worker", "host"), most: map[string]int{}, cancel: cancel, fences: map[string]int64{},
	}
	for _, service := range r.fleet {
		for _, p := range service.places {
			s.most[service.target(p).String()] = p.instances
		}
	}
	s.done.Go(func() { every(ctx, 20*time.Millisecond, func() { s.lookAtTable(ctx) }) })
	s.done.Go(func() { every(ctx, 200*time.Millisecond, s.countProcesses) })
	return s
}

func every(ctx context.Context, interval time.Duration, f func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f()
		}
	}
}

func (s *sampler) stop() {
	s.cancel()
	s.done.Wait()
}

// take returns what was wrong since it was called last.
func (s *sampler) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	wrong := s.wrong
	s.wrong = nil
	return wrong
}

func (s *sampler) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.wrong) < 20 {
		s.wrong = append(s.wrong, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// lookAtTable reads the table once.
func (s *sampler) lookAtTable(ctx context.Context) {
	table, err := s.router.Table(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.note("the router does not tell its table: %v", err)
		}
		return
	}
	s.mu.Lock()
	s.looks++
	if table.Serial < s.serial {
		s.wrong = append(s.wrong, fmt.Sprintf("the table went back from serial %d to %d", s.serial, table.Serial))
	}
	s.serial = table.Serial
	s.mu.Unlock()
	s.lookAtNeeds(table)
	for target, route := range table.Routes {
		s.lookAtRoute(ctx, target, route)
	}
}

func (s *sampler) lookAtRoute(ctx context.Context, target string, route router.Route) {
	s.mu.Lock()
	if route.Fence < s.fences[target] {
		s.wrong = append(s.wrong, fmt.Sprintf("the fence of %s went back from %d to %d", target, s.fences[target], route.Fence))
	}
	s.fences[target] = route.Fence
	s.mu.Unlock()
	if !route.Served() {
		return
	}
	sum := 0
	for _, arm := range route.Arms {
		sum += arm.Weight
		if arm.Weight > 0 && !answers(arm) && s.stillRouted(ctx, target, arm) {
			s.note("%s gives %d parts of the traffic to revision %s, of which no instance answers (%v)", target, arm.Weight, arm.Revision, arm.Backends)
		}
	}
	if sum != router.Whole {
		s.note("the weights of %s sum to %d", target, sum)
	}
}

// dialWithin is so long that a busy machine, on which this program itself has to wait for its
// turn, does not look like a dead instance: one that is dead refuses at once.
const dialWithin = 5 * time.Second

// answers says whether one of the arm's backends takes connections.
func answers(arm router.Arm) bool {
	for _, b := range arm.Backends {
		c, err := net.DialTimeout("tcp", b.Address, dialWithin)
		if err == nil {
			_ = c.Close()
			return true
		}
	}
	return false
}

// stillRouted looks again: between the reading of the table and the dialling the
// arm may have lost its traffic and ended, as it should.
func (s *sampler) stillRouted(ctx context.Context, target string, arm router.Arm) bool {
	route, err := s.router.Route(ctx, target)
	if err != nil {
		return false
	}
	now, ok := route.Arm(arm.Revision)
	return ok && now.Weight > 0 && !answers(now)
}

// countProcesses looks that no revision has more processes than instances.
func (s *sampler) countProcesses() {
	for work, n := range serviceProcesses(s.home) {
		if target, _ := splitWork(s.home, work); n > s.most[target] {
			s.note("%d processes run in %s, which should have at most %d", n, work, s.most[target])
		}
	}
}

// serviceProcesses counts the services' processes by their working folder. A
// process that still is Fairway's launcher is none.
func serviceProcesses(home string) map[string]int {
	count := map[string]int{}
	for _, pid := range pids() {
		proc := fmt.Sprintf("/proc/%d/", pid)
		cwd, err := os.Readlink(proc + "cwd")
		if err != nil || !within(cwd, home) {
			continue
		}
		if program, err := os.Readlink(proc + "exe"); err != nil || strings.HasSuffix(strings.TrimSuffix(program, " (deleted)"), "/fairway") {
			continue
		}
		count[strings.TrimSuffix(cwd, " (deleted)")]++
	}
	return count
}

// splitWork returns the target and the revision to which a working folder belongs:
// targets/SERVICE@ENVIRONMENT@REGION/revisions/@ID/…
func splitWork(home, work string) (target, revision string) {
	rest, err := filepath.Rel(home, work)
	parts := strings.Split(rest, "/")
	if err != nil || len(parts) < 4 {
		return "", ""
	}
	return strings.TrimSuffix(strings.ReplaceAll(parts[1], "@", "/"), "/"), strings.TrimPrefix(parts[3], "@")
}

func pids() []int {
	entries, _ := os.ReadDir("/proc")
	var found []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			found = append(found, pid)
		}
	}
	return found
}
