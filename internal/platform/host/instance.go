package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
)

// instance is one slot of a revision on a target, as it lies on disk.
type instance struct {
	dir      string // of the slot
	slot     int
	revision platform.Revision
	settings Settings
}

// status is what was learned about an instance over its lives.
type status struct {
	// Ready is the life that answered the readiness check.
	Ready Process `json:"ready,omitzero"`
	// Failed says that the instance gave up before it was ever ready.
	Failed   bool   `json:"failed,omitempty"`
	Message  string `json:"message,omitempty"`
	Restarts int    `json:"restarts,omitempty"`
	// Streak counts the restarts since it last ran for a while; it sets the pause before the next.
	Streak int `json:"streak,omitempty"`
	// TriedAt is when it was last started again.
	TriedAt time.Time `json:"triedAt,omitzero"`
}

func (s status) everReady() bool { return s.Ready != Process{} }

func (i instance) recordPath() string { return filepath.Join(i.dir, "record.json") }
func (i instance) lockPath() string   { return i.recordPath() + ".lock" }
func (i instance) statusPath() string { return filepath.Join(i.dir, "status.json") }
func (i instance) exitPath() string   { return filepath.Join(i.dir, "exit.json") }
func (i instance) logPath() string    { return filepath.Join(i.dir, "log") }

func (i instance) record() (record, bool, error) { return readJSON[record](i.recordPath()) }

func (i instance) status() (status, error) {
	s, _, err := readJSON[status](i.statusPath())
	return s, err
}

func (r record) address() string { return net.JoinHostPort(loopback, strconv.Itoa(r.Port)) }

// life is all that is known about an instance at one moment.
type life struct {
	instance
	record   record
	started  bool // there is a record
	running  bool
	answered bool // this life was ready
	late     bool // it was never ready and has had its time, before it is asked
	status   status
}

// look reads the instance from disk and the process table, without asking it anything.
func (i instance) look() (life, error) {
	l := life{instance: i}
	var err error
	if l.record, l.started, err = i.record(); err != nil {
		return l, err
	}
	if l.status, err = i.status(); err != nil {
		return l, err
	}
	l.running = l.started && l.record.Alive()
	l.answered = l.running && l.status.Ready == l.record.Process
	return l, nil
}

// inspect looks, asks the instance whether it is ready, and writes down what
// that decides: that this life was ready, or that the instance has failed.
func (p *Platform) inspect(ctx context.Context, i instance) (life, platform.Instance, error) {
	l, err := i.look()
	if err != nil {
		return l, platform.Instance{}, err
	}
	state := platform.Instance{
		ID:        fmt.Sprintf("%s-%d", i.revision.ID, i.slot+1),
		StartedAt: l.record.StartedAt,
		Restarts:  l.status.Restarts,
		Failed:    l.status.Failed,
		Message:   l.status.Message,
	}
	switch {
	case !l.started:
		state.Message = "not started yet"
	case !l.running:
		err = p.inspectDead(ctx, &l, &state)
	case l.status.Failed:
		state.Address = l.record.address()
	default:
		state.Address = l.record.address()
		err = p.inspectRunning(ctx, &l, &state)
	}
	return l, state, err
}

// inspectDead explains an end. One that came before the instance was ever ready is final.
func (p *Platform) inspectDead(ctx context.Context, l *life, state *platform.Instance) error {
	end := reap(l.dir, l.record.Process, p.config.Now())
	if l.status.Failed {
		return nil
	}
	how := "exited"
	if end.Status != "" {
		how = "exited with " + end.Status
	}
	if l.status.everReady() {
		state.Message = how + ", will be started again"
		return nil
	}
	message := how + " before it was ready"
	if owner := stranger(l.record.Port, l.record.PID); owner != 0 {
		message += fmt.Sprintf("; port %d is taken by process %d (%s)", l.record.Port, owner, commandName(owner))
	}
	return p.fail(ctx, l, state, message)
}

func (p *Platform) inspectRunning(ctx context.Context, l *life, state *platform.Instance) error {
	limit := time.Duration(l.settings.Ready.Timeout)
	l.late = !l.status.everReady() && p.age(l.record) >= limit
	problem := p.check(ctx, *l)
	if problem == "" {
		state.Ready, state.Message = true, ""
		if l.answered {
			return nil
		}
		return p.welcome(ctx, l)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	state.Message = problem
	if !l.late {
		return nil
	}
	return p.fail(ctx, l, state, fmt.Sprintf("not ready within %s: %s", limit, problem))
}

// welcome remembers that this life was ready.
func (p *Platform) welcome(ctx context.Context, l *life) error {
	l.answered = true
	return l.update(ctx, func(s *status) { s.Ready = l.record.Process })
}

// update changes the status; whoever looks and whoever restarts may do so at once.
func (l *life) update(ctx context.Context, change func(*status)) error {
	unlock, err := waitLock(ctx, l.statusPath()+".lock", syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	if l.status, err = l.instance.status(); err != nil {
		return err
	}
	change(&l.status)
	return writeJSON(l.statusPath(), l.status)
}

// fail is final for the instance: the first reason is kept until it is retired. It
// comes too late where somebody else has found the instance ready meanwhile.
func (p *Platform) fail(ctx context.Context, l *life, state *platform.Instance, message string) error {
	if tail, _ := l.tail(10); len(tail) > 0 {
		message += "; its last lines:\n" + strings.Join(tail, "\n")
	}
	err := l.update(ctx, func(s *status) {
		if !s.Failed && !s.everReady() {
			s.Failed, s.Message = true, message
		}
	})
	if l.status.Failed {
		state.Failed, state.Message = true, l.status.Message
	}
	return err
}

// instances returns the slots that a revision should have, and those that are
// left over from a larger capacity.
func (p *Platform) instances(t platform.Target, f revisionFile) (wanted, surplus []instance, err error) {
	settings, err := ParseSettings(f.Revision.Settings)
	if err != nil {
		return nil, nil, err
	}
	dir := p.revisionDir(t, f.Revision.ID)
	slots := existingSlots(dir)
	for n := range f.Capacity.Instances {
		if !slices.Contains(slots, n) {
			slots = append(slots, n)
		}
	}
	slices.Sort(slots)
	for _, n := range slots {
		i := instance{dir: instanceDir(dir, n), slot: n, revision: f.Revision, settings: settings}
		if n < f.Capacity.Instances {
			wanted = append(wanted, i)
		} else if _, started, _ := i.record(); started {
			surplus = append(surplus, i)
		}
	}
	return wanted, surplus, nil
}

func existingSlots(revisionDir string) []int {
	entries, _ := os.ReadDir(filepath.Join(revisionDir, "instances"))
	var slots []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			slots = append(slots, n)
		}
	}
	return slots
}
