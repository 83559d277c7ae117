package host

import (
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/process"
)

// record is what a process writes about itself before it becomes the service.
type record struct {
	Process
	Port      int       `json:"port"`
	StartedAt time.Time `json:"startedAt"`
}

// statusBusy is how a second start of one instance ends (EX_TEMPFAIL).
const statusBusy = 75

// Exec is the hidden command by which every instance starts:
//
//	fairway host-exec --record FILE --port N -- command…
//
// args are what follows "host-exec". The process locks FILE.lock, writes its
// pid, start time and port to FILE, and then becomes the command. The lock
// stays with it as long as it lives. So wherever the worker is killed, there
// is either no process or one with a record, and a second start of the same
// instance gives way. Exec returns only an error.
func Exec(args []string) error {
	flags := flag.NewFlagSet("host-exec", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	path := flags.String("record", "", "")
	port := flags.Int("port", 0, "")
	if err := flags.Parse(args); err != nil || *path == "" || flags.NArg() == 0 {
		return fault.Errorf(fault.Invalid, "host-exec is called by Fairway itself: host-exec --record FILE --port N -- command…")
	}
	if err := lockForLife(*path + ".lock"); err != nil {
		return err
	}
	if former, found, err := readJSON[record](*path); err == nil && found && former.Alive() {
		os.Exit(statusBusy)
	}
	self, err := process.Identify(os.Getpid())
	if err != nil {
		return fault.Errorf(fault.Internal, "read the own start time: %w", err)
	}
	if err := writeJSON(*path, record{Process: self, Port: *port, StartedAt: time.Now()}); err != nil {
		return err
	}
	if !stillWanted(*path) {
		_ = os.Remove(*path)
		os.Exit(statusBusy)
	}
	return become(flags.Args())
}

// stillWanted closes the last gap: the worker that forked this process may be
// dead, and the next one may have retired the revision meanwhile. Whoever retires
// changes the phase first and looks for records afterwards; this process does it
// the other way around, so one of the two always sees the other.
func stillWanted(recordPath string) bool {
	slotDir := filepath.Dir(recordPath)
	slot, err := strconv.Atoi(filepath.Base(slotDir))
	if err != nil {
		return false
	}
	f, found, err := readJSON[revisionFile](filepath.Join(filepath.Dir(filepath.Dir(slotDir)), "revision.json"))
	return err == nil && found && f.Phase == placed && slot < f.Capacity.Instances
}

// lockForLife takes the lock on a descriptor that outlives the exec.
func lockForLife(path string) error {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT, 0o600)
	if err != nil {
		return diskFault(&os.PathError{Op: "open", Path: path, Err: err}, path)
	}
	// Low numbers are where programs expect descriptors of their own making.
	if high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 100); err == nil {
		_ = syscall.Close(fd)
		fd = high
	}
	for {
		err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			os.Exit(statusBusy)
		case !errors.Is(err, syscall.EINTR):
			return diskFault(err, path)
		}
	}
}

// become replaces the process by the command.
func become(command []string) error {
	name, err := exec.LookPath(command[0])
	if err != nil {
		return fault.Errorf(fault.Invalid, "start %s: %w", strconv.Quote(command[0]), errors.Unwrap(err)).
			WithHint("the command runs in the working folder with the artifact; see `run` in the host settings")
	}
	// A file that was just written can be busy for an instant, when a process
	// that was being forked meanwhile still holds it open.
	for range 100 {
		err = syscall.Exec(name, command, os.Environ())
		if !errors.Is(err, syscall.ETXTBSY) {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	return fault.Errorf(fault.Invalid, "start %s: %w", strconv.Quote(command[0]), err)
}
