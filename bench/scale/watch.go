package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/bench/fleet"
)

// seen is what happened while nothing changed.
type seen struct {
	lasted            time.Duration
	servers           []memory
	database, workers time.Duration
	// written are the rows that were written, by table.
	written map[string]int
}

// sampleEvery is how often resident memory is read.
const sampleEvery = 5 * time.Second

// watch waits until all has settled and then looks on.
func (r *rig) watch(ctx context.Context) (s seen, err error) {
	if err := wait(ctx, r.c.settles); err != nil {
		return s, err
	}
	s.servers = make([]memory, len(r.servers))
	cpu := r.used()
	before, err := r.writes(ctx)
	if err != nil {
		return s, err
	}
	for _, w := range r.workers {
		if err := w.Process.Signal(syscall.SIGUSR1); err != nil {
			return s, err
		}
	}
	began := time.Now()
	for s.lasted < r.c.lasts {
		if err := wait(ctx, sampleEvery); err != nil {
			return s, err
		}
		s.lasted = time.Since(began)
		for i, server := range r.servers {
			m, err := fleet.MemoryOf(server.PID())
			if err != nil {
				return s, fmt.Errorf("server %d: %w", i+1, err)
			}
			s.servers[i].add(s.lasted, m)
		}
	}
	s.written, err = r.writes(ctx)
	for table, n := range before {
		s.written[table] -= n
	}
	after := r.used()
	for i := range r.servers {
		s.servers[i].cpu = after[i] - cpu[i]
	}
	s.database, s.workers = after[servers]-cpu[servers], after[servers+1]-cpu[servers+1]
	return s, err
}

// used is the processor time of each server, then the database's and the workers'.
func (r *rig) used() []time.Duration {
	var all []time.Duration
	for _, s := range r.servers {
		all = append(all, fleet.CPU(s.PID()))
	}
	var workers time.Duration
	for _, w := range r.workers {
		workers += fleet.CPU(w.Process.Pid)
	}
	return append(all, fleet.CPU(r.db.PID()), workers)
}

// writes are the rows that PostgreSQL has written since it counts, by table.
func (r *rig) writes(ctx context.Context) (map[string]int, error) {
	var text string
	err := r.db.Scan(ctx, r.url, &text, `SELECT json_object_agg(relname, n_tup_ins + n_tup_upd + n_tup_del)::text FROM pg_stat_user_tables`)
	if err != nil {
		return nil, err
	}
	all := map[string]int{}
	return all, json.Unmarshal([]byte(text), &all)
}

// leases are the tables in which a lease, and what holds it, is renewed: tasks; the mark of
// each transaction; which servers and workers are there, and whose turn a chore is.
var leases = []string{"tasks", "marks", "alive", "listeners", "chores"}

// beyond is how many rows were written beside them.
func (s seen) beyond() (n int) {
	for table, rows := range s.written {
		if !slices.Contains(leases, table) {
			n += rows
		}
	}
	return n
}

func (s seen) others() string {
	var all []string
	for _, table := range slices.Sorted(maps.Keys(s.written)) {
		if rows := s.written[table]; rows > 0 && table != "tasks" {
			all = append(all, fmt.Sprintf("%s %d", table, rows))
		}
	}
	return "(" + strings.Join(all, ", ") + ")"
}

// resident is the most memory that a server had.
func (s seen) resident() float64 { return s.worst(func(m memory) float64 { return m.resident.most() }) }

// growth is the upper bound of the steepest slope, of what is resident or of what is a server's
// own: pages of the program file that the system drops must not hide that a server grows.
func (s seen) growth() float64 {
	return s.worst(func(m memory) float64 {
		_, all := m.resident.slope()
		_, own := m.own.slope()
		return max(all, own)
	})
}

func (s seen) worst(of func(memory) float64) float64 {
	worst := math.Inf(-1)
	for _, m := range s.servers {
		worst = max(worst, of(m))
	}
	return worst
}

// memory is that of a process over time: all of it, and what is its own.
type memory struct {
	resident, own series
	cpu           time.Duration
}

func (m *memory) add(at time.Duration, now fleet.Memory) {
	m.resident.add(at, now.Resident)
	m.own.add(at, now.Own)
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
