//go:build crash

package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// aims are the points at which this process is to die. They stand in the file that
// FAIRWAY_CRASH_AIMS names, one a line, and may change while the process runs:
//
//	ID MOMENT COUNT DELAY POINT      7 during 2 1500us route
//
// The process dies by SIGKILL the COUNTth time that it comes to the moment (before,
// during, after) of the point, and leaves the file hit-ID beside that one, with its name and
// all names of the point. Of several processes with the same aim only the first dies.
// FAIRWAY_CRASH_TRACE names a file that gets a line for every point passed.
type aims struct {
	file, traced string

	mu     sync.Mutex
	passed map[string]int           // by ID
	delays map[string]time.Duration // by ID, shortened when a call was over too soon
}

var theAims = &aims{
	file: os.Getenv("FAIRWAY_CRASH_AIMS"), traced: os.Getenv("FAIRWAY_CRASH_TRACE"),
	passed: map[string]int{}, delays: map[string]time.Duration{},
}

type aim struct {
	id, moment, point string
	count             int
	delay             time.Duration
}

// at dies if an aim says so.
func (a *aims) at(moment string, points ...string) {
	if found, ok := a.reached(moment, points); ok {
		die(a.file, found.id, points)
	}
}

// during dies in the middle of a call, if an aim says so: after the aim's delay,
// unless the returned function, which ends the call, comes first. The next call
// then gets a quarter of the delay.
func (a *aims) during(points ...string) (done func()) {
	found, ok := a.reached("during", points)
	if !ok {
		return func() {}
	}
	a.mu.Lock()
	delay, again := a.delays[found.id]
	if !again {
		delay = found.delay
	}
	a.delays[found.id] = delay / 4
	a.mu.Unlock()
	var over atomic.Bool
	go func() {
		time.Sleep(delay)
		if !over.Load() {
			die(a.file, found.id, points)
		}
	}()
	return func() { over.Store(true) }
}

// reached counts the points passed and returns the aim that is due.
func (a *aims) reached(moment string, points []string) (aim, bool) {
	if a.file == "" {
		return aim{}, false
	}
	text, err := os.ReadFile(a.file)
	if err != nil {
		return aim{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for line := range strings.Lines(string(text)) {
		found, ok := parseAim(line)
		if !ok || found.moment != moment || !slices.Contains(points, found.point) {
			continue
		}
		if a.passed[found.id]++; a.passed[found.id] >= found.count {
			return found, true
		}
	}
	return aim{}, false
}

func parseAim(line string) (aim, bool) {
	f := strings.Fields(line)
	if len(f) != 5 {
		return aim{}, false
	}
	count, err := strconv.Atoi(f[2])
	if err != nil {
		return aim{}, false
	}
	delay, err := time.ParseDuration(f[3])
	return aim{id: f[0], moment: f[1], count: count, delay: delay, point: f[4]}, err == nil
}

var dying sync.Mutex

// die leaves word and kills this process as nothing else can: nothing is flushed, nothing is
// deferred. It returns only where another process has died of the same aim.
func die(file, id string, points []string) {
	dying.Lock()
	word := file + ".word"
	err := os.WriteFile(word, []byte(filepath.Base(file)+" "+strings.Join(points, " ")), 0o600)
	if err == nil {
		err = os.Link(word, filepath.Join(filepath.Dir(file), "hit-"+id)) // fails where it is there
	}
	_ = os.Remove(word)
	if err != nil {
		dying.Unlock()
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// trace writes a line with its time in nanoseconds; one write each, so that
// processes may share the file.
func (a *aims) trace(format string, args ...any) {
	if a.traced == "" {
		return
	}
	f, err := os.OpenFile(a.traced, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = fmt.Fprintf(f, "%d %d %s\n", time.Now().UnixNano(), os.Getpid(), fmt.Sprintf(format, args...))
}
