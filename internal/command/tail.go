package command

import (
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/secret"
)

const (
	// mostHeld is how many bytes of the last output are held to mask it as a whole.
	mostHeld = 64 << 10
	// mostKept is how many bytes of that are kept, and told.
	mostKept = 16 << 10
	// tellEvery is the time between two writes of a command that prints on and on.
	tellEvery = 250 * time.Millisecond
	// drainFor is how long the output may still come after the command has ended.
	drainFor = time.Second
)

// tail keeps the end of what a command prints, masked, in a file.
type tail struct {
	in   *os.File // where the command prints
	out  *os.File
	mask *secret.Mask
	path string
	done chan struct{} // closed when nobody can print any more
	told chan struct{} // closed when the file is written for the last time

	mu      sync.Mutex
	held    []byte
	lost    bool // there was more before what is held
	changed bool
}

// newTail begins to keep what is printed to in. Without a pipe nothing can be kept,
// and the command prints to nowhere.
func newTail(mask *secret.Mask, path string) *tail {
	t := &tail{mask: mask, path: path, done: make(chan struct{}), told: make(chan struct{})}
	var err error
	if t.out, t.in, err = os.Pipe(); err != nil {
		t.in, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		close(t.done)
		close(t.told)
		return t
	}
	go t.read()
	go t.tell()
	return t
}

func (t *tail) read() {
	defer close(t.done)
	buf := make([]byte, 32<<10)
	for {
		n, err := t.out.Read(buf)
		t.mu.Lock()
		t.held = append(t.held, buf[:n]...)
		if over := len(t.held) - mostHeld; over > 0 {
			t.held, t.lost = append(t.held[:0], t.held[over:]...), true
		}
		t.changed = t.changed || n > 0
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// tell writes the file whenever something new was printed.
func (t *tail) tell() {
	defer close(t.told)
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		t.mu.Lock()
		changed := t.changed
		t.changed = false
		t.mu.Unlock()
		if changed {
			t.write(t.text(true))
		}
		select {
		case <-t.done:
			return
		case <-ticker.C:
		}
	}
}

// text is the end of what was printed, secrets masked.
func (t *tail) text(unfinished bool) string {
	t.mu.Lock()
	raw, lost := string(t.held), t.lost
	t.mu.Unlock()
	text := strings.ToValidUTF8(t.mask.Part(raw, lost, unfinished), "�")
	if over := len(text) - mostKept; over > 0 {
		text = strings.ToValidUTF8(text[over:], "")
	}
	return text
}

// drain waits until all has come that the command printed. What it left running may
// hold the pipe open; that is not waited for.
func (t *tail) drain() {
	limit := time.NewTimer(drainFor)
	defer limit.Stop()
	select {
	case <-t.done:
	case <-limit.C:
	}
}

// close returns what is kept, and writes it down a last time. Nothing of the
// command runs any more.
func (t *tail) close() string {
	t.drain()
	if t.out != nil {
		_ = t.out.Close()
	}
	<-t.told
	text := t.text(false)
	t.write(text)
	return text
}

// write replaces the file, for whoever reads it at the same time. It need not outlast
// a power cut, and a full disk costs the words, not the fact.
func (t *tail) write(text string) {
	fresh := t.path + ".new"
	if err := os.WriteFile(fresh, []byte(text), 0o600); err == nil {
		_ = os.Rename(fresh, t.path)
	}
}
