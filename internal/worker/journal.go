package worker

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairwayhq/fairway/internal/stage"
)

// journal keeps one task on disk while the server does not answer, so that a worker which
// is killed then goes on with it, under the fence that it had:
//
//	CHECKSUM record      the task, and what the server had not heard when it was written
//	CHECKSUM outcome     what came of each tick since
//
// The record is replaced as a whole, outcomes are appended; a tail that was torn off by a
// power cut is left out. What is in it is what would have been reported: no value of a
// secret is. A nil journal keeps nothing.
type journal struct {
	path string
	log  *slog.Logger
	size int64
	// kept says that there is a file.
	kept bool
	// failing says that it was told already that nothing can be kept.
	failing bool
}

// record is a task as the worker has it.
type record struct {
	Task stage.Task `json:"task"`
	// Number is that of the last report that was cut, and Sent that report, where its
	// answer is missing; Rest came after it.
	Number int64           `json:"number,omitempty"`
	Sent   *stage.Report   `json:"sent,omitempty"`
	Rest   []stage.Outcome `json:"rest,omitempty"`
	// Weight is the share of traffic that a tick told last.
	Weight float64 `json:"weight,omitempty"`
}

// pending is what the server has not heard.
func (r record) pending() pending {
	p := pending{number: r.Number, sent: r.Sent, weight: r.Weight}
	if r.Number == 0 {
		p.known = r.Task.State // a new lease: the state is the server's
	}
	if r.Sent != nil && r.Sent.Outcome.Progress != nil {
		p.weight = r.Sent.Outcome.Progress.Weight
	}
	for _, out := range r.Rest {
		p.fold(out)
	}
	return p
}

const (
	journalEnding = ".journal"
	// mostJournal is when a journal is written anew, folded, in bytes.
	mostJournal = 32 << 20
)

// journalOf is the journal of the task's lease; nil where the worker keeps none.
func (w *Worker) journalOf(t stage.Task, log *slog.Logger) *journal {
	if w.c.Journal == "" {
		return nil
	}
	name := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", t.ID, t.Fence)))[:32]
	return &journal{path: filepath.Join(w.c.Journal, name+journalEnding), log: log}
}

// replace writes the record in place of all that is there; with sync it is on disk when it
// returns, also after a power cut.
func (j *journal) replace(r record, sync bool) {
	if j == nil {
		return
	}
	line, err := lineOf(r)
	if err == nil {
		err = replaceFile(j.path, line, sync)
	}
	j.note(err)
	j.size = int64(len(line))
	j.kept = true // even a failed one may have left the former
}

// append adds what came of a tick. It is on disk when it returns.
func (j *journal) append(out stage.Outcome) {
	if j == nil {
		return
	}
	line, err := lineOf(out)
	if err == nil {
		err = appendFile(j.path, line)
	}
	j.note(err)
	j.size += int64(len(line))
}

// stale tells that there is a file which must not stay as it is when a report is cut: who went
// on from it would give another report the same number.
func (j *journal) stale() bool { return j != nil && j.kept }

// full tells that the journal should be written anew, also because what is appended after
// a write that failed could not be read.
func (j *journal) full() bool { return j != nil && (j.size > mostJournal || j.failing) }

// remove ends it.
func (j *journal) remove() {
	if j == nil || !j.kept {
		return
	}
	err := os.Remove(j.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	j.note(err)
	j.kept = err != nil
}

// note tells once that nothing can be kept. The worker goes on without.
func (j *journal) note(err error) {
	if err != nil && !j.failing {
		j.log.Error("What the server does not hear cannot be kept on disk; it is lost if the worker ends now.", "error", err)
	}
	j.failing = err != nil
}

func lineOf(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(text), text), nil
}

func replaceFile(path string, content []byte, sync bool) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if sync {
		err = errors.Join(err, f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil || !sync {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func appendFile(path string, line []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	return errors.Join(err, f.Sync(), f.Close())
}

// readJournals reads what an earlier life of the worker has left. A file that does not even
// begin well is told and set aside.
func readJournals(dir string, log *slog.Logger) []record {
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Error("What was kept while the server did not answer cannot be read.", "error", err)
	}
	var all []record
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), journalEnding) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(path)
		r, ok := parseJournal(text)
		if err != nil || !ok {
			log.Error("What was kept of a task cannot be read, and is set aside.", "file", path, "error", err)
			_ = os.Rename(path, path+".unreadable")
			continue
		}
		all = append(all, r)
	}
	return all
}

// parseJournal reads a journal as far as it is whole; false where its record is not.
func parseJournal(text []byte) (record, bool) {
	var r record
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if !parseLine(first, &r) || r.Task.ID == "" || r.Task.Fence <= 0 {
		return record{}, false
	}
	for line := range bytes.Lines(rest) {
		var out stage.Outcome
		if !parseLine(bytes.TrimSuffix(line, []byte("\n")), &out) {
			break
		}
		r.Rest = append(r.Rest, out)
		if out.State != nil {
			r.Task.State = out.State
		}
	}
	return r, true
}

// parseLine reads a line with its checksum.
func parseLine(line []byte, into any) bool {
	sum, text, ok := bytes.Cut(line, []byte(" "))
	return ok && string(sum) == fmt.Sprintf("%08x", crc32.ChecksumIEEE(text)) && json.Unmarshal(text, into) == nil
}
