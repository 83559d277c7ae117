package host

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/process"
)

// What lies in the state folder:
//
//	artifacts/sha256-…                     verified artifacts, by content
//	ports.json                             ports chosen within the last minute
//	targets/<target>/lock                  held by whoever changes the target
//	targets/<target>/target.json           the fence
//	targets/<target>/revisions/<id>/
//	    lock                               held by whoever starts or ends its processes
//	    revision.json                      what to run, how often, and in which phase
//	    work/                              the working folder: artifact and config files
//	    instances/<n>/record.json          pid and start time, written by the process itself before it becomes the service
//	    instances/<n>/record.json.lock     held by the process as long as it lives
//	    instances/<n>/status.json          what was learned about it: ready, failed, restarts
//	    instances/<n>/log, log.1           what it printed
//
// Every JSON file is replaced as a whole, so a crash or a full disk leaves the old one.

// targetFile is the fence record of a target.
type targetFile struct {
	Target platform.Target `json:"target"`
	Fence  int64           `json:"fence"`
	Holder string          `json:"holder"`
}

// phase says where a revision is on its way through a target.
type phase string

const (
	placed   phase = "placed"
	draining phase = "draining" // takes no new traffic, a Place brings it back
	stopping phase = "stopping" // its processes are being ended
	retired  phase = "retired"  // only the spec and the logs are left
)

// revisionFile is a revision on a target. It holds secrets by reference only.
type revisionFile struct {
	Revision platform.Revision `json:"revision"`
	Capacity platform.Capacity `json:"capacity"`
	Phase    phase             `json:"phase"`
	// Fence is the one under which the revision was last placed.
	Fence int64 `json:"fence"`
	// UsedAt is when the revision was last placed or retired.
	UsedAt time.Time `json:"usedAt"`
}

func (p *Platform) targetsDir() string { return filepath.Join(p.config.StateDir, "targets") }

// targetDir escapes what a name may hold, and joins with a sign that escaping
// never leaves, so two targets never share a folder and none is "..".
func (p *Platform) targetDir(t platform.Target) string {
	return filepath.Join(p.targetsDir(), url.QueryEscape(t.Service)+"@"+url.QueryEscape(t.Environment)+"@"+url.QueryEscape(t.Region))
}

func (p *Platform) revisionDir(t platform.Target, id string) string {
	return filepath.Join(p.targetDir(t), "revisions", "@"+url.QueryEscape(id))
}

func instanceDir(revisionDir string, slot int) string {
	return filepath.Join(revisionDir, "instances", strconv.Itoa(slot))
}

// readTarget returns a zero file for a target that was never placed on.
func (p *Platform) readTarget(t platform.Target) (targetFile, error) {
	f, _, err := readJSON[targetFile](filepath.Join(p.targetDir(t), "target.json"))
	f.Target = t
	return f, err
}

func (p *Platform) writeTarget(f targetFile) error {
	return writeJSON(filepath.Join(p.targetDir(f.Target), "target.json"), f)
}

func (p *Platform) readRevision(t platform.Target, id string) (revisionFile, bool, error) {
	return readJSON[revisionFile](filepath.Join(p.revisionDir(t, id), "revision.json"))
}

func (p *Platform) writeRevision(t platform.Target, f revisionFile) error {
	f.UsedAt = p.config.Now()
	return writeJSON(filepath.Join(p.revisionDir(t, f.Revision.ID), "revision.json"), f)
}

// readRevisions returns all revisions the target knows, the retired ones included.
func (p *Platform) readRevisions(t platform.Target) ([]revisionFile, error) {
	dir := filepath.Join(p.targetDir(t), "revisions")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, diskFault(err, dir)
	}
	var files []revisionFile
	for _, e := range entries {
		f, found, err := readJSON[revisionFile](filepath.Join(dir, e.Name(), "revision.json"))
		if err != nil {
			return nil, err
		}
		if found {
			files = append(files, f)
		}
	}
	return files, nil
}

// readTargets returns every target in the state folder that can be read, and the
// faults of the others.
func (p *Platform) readTargets() ([]platform.Target, error) {
	entries, err := os.ReadDir(p.targetsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, diskFault(err, p.targetsDir())
	}
	var targets []platform.Target
	var faults []error
	for _, e := range entries {
		f, found, err := readJSON[targetFile](filepath.Join(p.targetsDir(), e.Name(), "target.json"))
		if found && err == nil {
			targets = append(targets, f.Target)
		}
		faults = append(faults, err)
	}
	return targets, errors.Join(faults...)
}

func readJSON[T any](path string) (value T, found bool, err error) {
	value, found, err = process.ReadRecord[T](path)
	var broken *process.BrokenError
	if errors.As(err, &broken) {
		return value, false, fault.Errorf(fault.Unavailable, "the state file %s cannot be read: %w", path, broken.Err).
			WithHint("restore the file from a backup; nothing on this target moves until then")
	}
	return value, found, diskFault(err, path)
}

// writeJSON replaces the file as a whole: whoever reads it sees the old or the
// new one, also after a power cut.
func writeJSON(path string, value any) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return diskFault(err, path)
	}
	return diskFault(process.WriteRecord(path, value), path)
}

// diskFault says what a failed file operation means to the operator.
func diskFault(err error, path string) error {
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return fault.Errorf(fault.Unavailable, "the disk is full: %w", err).
			WithHint("free some space on the disk of %s; nothing was lost and the work goes on by itself", filepath.Dir(path))
	default:
		return fault.Errorf(fault.Unavailable, "use the state folder: %w", err).
			WithHint("check that %s is there and that the worker may write to it", filepath.Dir(path))
	}
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
