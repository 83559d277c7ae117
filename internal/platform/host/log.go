package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/internal/secret"
)

// Logs returns the last lines of every instance, one instance after the other;
// with several instances each line begins with the instance's number. It knows
// retired revisions too, until they are forgotten. The values of the revision's
// secrets are masked; the log files themselves stay as they are.
func (p *Platform) Logs(ctx context.Context, t platform.Target, revision string, lines int) ([]string, error) {
	dir := p.revisionDir(t, revision)
	f, found, err := p.readRevision(t, revision)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fault.Errorf(fault.NotFound, "revision %s was never placed on %s", revision, t)
	}
	slots := existingSlots(dir)
	if lines <= 0 || len(slots) == 0 {
		return nil, nil
	}
	var all []string
	each := max(1, lines/len(slots))
	for _, slot := range slots {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		tail, err := instance{dir: instanceDir(dir, slot), revision: f.Revision}.tail(each)
		if err != nil {
			return nil, err
		}
		for _, line := range tail {
			if len(slots) > 1 {
				line = fmt.Sprintf("[%d] %s", slot+1, line)
			}
			all = append(all, line)
		}
	}
	return all[max(0, len(all)-lines):], nil
}

// tail returns the last lines of the instance's log, fit to leave the machine. The
// secrets are read again for that: where one cannot be, nothing is told. What an
// instance printed of a value that was changed after its start is not known here.
func (i instance) tail(lines int) ([]string, error) {
	tail, err := tailFile(i.logPath(), lines)
	if err != nil || len(tail) == 0 || len(i.revision.Config.Secrets) == 0 {
		return tail, err
	}
	values, err := secret.Resolve(i.revision.Config.Secrets)
	if err != nil {
		return []string{"(not shown, as it cannot be seen whether there is a secret in it: " + fault.MessageOf(err) + ")"}, nil
	}
	text := secret.NewMask(values).Part(strings.Join(tail, "\n"), true, true)
	return strings.Split(text, "\n"), nil
}

// openLog opens the log for a new life; a large one is put aside first, in
// place of the one that was put aside before.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog/2 {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, diskFault(err, path)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, diskFault(err, path)
	}
	return f, nil
}

// maxLog bounds the log of one instance in bytes, for as long as a keeper runs;
// what was put aside comes on top.
const maxLog = 16 << 20

// trimLog keeps a running instance's log small: its end is copied aside and the
// file emptied under the writer, which appends. Lines printed in between are lost.
func trimLog(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() <= maxLog {
		return nil
	}
	kept, err := tailBytes(path, maxLog/4)
	if err != nil {
		return err
	}
	if err := process.ReplaceFile(path+".1", kept); err != nil {
		return diskFault(err, path)
	}
	return diskFault(os.Truncate(path, 0), path)
}

// tailFile returns the last lines of a log, reaching into the part put aside.
func tailFile(path string, lines int) ([]string, error) {
	const perLine = 4 << 10
	size := int64(lines) * perLine
	raw, err := tailBytes(path, size)
	if err != nil {
		return nil, err
	}
	if bytes.Count(raw, []byte("\n")) < lines {
		aside, err := tailBytes(path+".1", size)
		if err != nil {
			return nil, err
		}
		raw = append(aside, raw...)
	}
	text := strings.TrimRight(strings.ToValidUTF8(string(raw), "�"), "\n")
	if text == "" {
		return nil, nil
	}
	all := strings.Split(text, "\n")
	return all[max(0, len(all)-lines):], nil
}

// tailBytes returns at most the last size bytes of a file, beginning with a
// whole line; a file that is not there is empty.
func tailBytes(path string, size int64) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, diskFault(err, path)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, diskFault(err, path)
	}
	from := max(0, info.Size()-size)
	raw, err := io.ReadAll(io.NewSectionReader(f, from, size))
	if err != nil {
		return nil, diskFault(err, path)
	}
	if from > 0 {
		if cut := bytes.IndexByte(raw, '\n'); cut >= 0 {
			raw = raw[cut+1:]
		}
	}
	return raw, nil
}
