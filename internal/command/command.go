// Package command runs the commands of plans (of jobs and checks) as processes that
// outlive the worker: killed at any instant, the next worker finds the command
// running, or how it ended.
//
//	Start ─► fairway command-exec ─► the command, in a process group of its own
//	         (supervisor, in a session of its own)
//	Observe ◄── record, output, result: files that the supervisor writes
//	Stop ─► a note that outlasts everything ─► SIGTERM to the group, SIGKILL after 5 s
//
// Every verb may be repeated from any point. What has an ID runs at most once: a
// second start gives way, also to one that has ended. A stop comes before every
// start that is still under way, whoever began it. Only the death of the supervisor
// itself, by SIGKILL or with the machine, costs the result; then the state is Lost
// and all that the command left is ended.
//
// The environment of a command goes through a pipe, never through an argument or a
// file, and what is kept of its output has its secrets masked.
//
//	commands, err := command.Open(command.Config{Folder: "/var/lib/fairway/commands"})
//	err = commands.Start(ctx, "rel1.production.migrate", command.Spec{Args: []string{"./migrate", "up"}})
//	state, err := commands.Observe("rel1.production.migrate")
//
// The package does not know what a command is for, and isolates it from nothing.
package command

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/process"
)

// What lies in the folder:
//
//	folder.json          what tells this folder from those on other machines
//	@<id>/lock           held by the supervisor as long as it lives
//	@<id>/record.json    who the supervisor is, written before the command begins
//	@<id>/stopped        it must not begin, or go on
//	@<id>/output         the end of what it printed, secrets masked
//	@<id>/result.json    how it ended
//	@<id>/work           where it runs, unless it is told where
//	@<id>/log            why a supervisor could not do its work

// Config says where and with what commands run. Only Folder is required.
type Config struct {
	// Folder is the room's own; it is made if it is not there.
	Folder string
	// ExecCommand starts Exec in a process of its own. Default: this program with "command-exec".
	ExecCommand []string
	// Keep is how long it is known how a command ended. Default 30 days.
	Keep time.Duration
	Now  func() time.Time
}

// Commands are the commands of one machine. It is safe for concurrent use, also by
// several processes on one folder.
type Commands struct {
	config Config
	where  string

	mu     sync.Mutex
	pruned time.Time
}

// Spec is a command to run.
type Spec struct {
	// Args are the program and its arguments. The program is looked for in the
	// command's own PATH.
	Args []string
	// Env is all of its environment: it inherits nothing.
	Env map[string]string
	// Secrets are the values, by name, that must not be told. They are only masked;
	// those that the command needs stand in Env too.
	Secrets map[string]string
	// Dir is the working folder. Default: an empty folder of the command's own, which
	// is forgotten with it.
	Dir string
}

// Phase is where a command is.
type Phase string

// The phases of a command.
const (
	// None: it was never begun here, and may be.
	None    Phase = ""
	Running Phase = "running"
	Ended   Phase = "ended"
	// Stopped: it was stopped before it began, or before it ended by itself.
	Stopped Phase = "stopped"
	// Lost: its supervisor was killed, so nobody knows how far it came. Nothing of
	// it runs any more.
	Lost Phase = "lost"
)

// State is what is known of a command.
type State struct {
	Phase     Phase
	StartedAt time.Time
	EndedAt   time.Time
	// How says how it ended; empty if it ended with status 0.
	How string
	// Output is the end of what it printed, at most 16 KiB, secrets masked.
	Output string
}

// Good says that the command ended with status 0.
func (s State) Good() bool { return s.Phase == Ended && s.How == "" }

// Open opens the folder and forgets what has long been over.
func Open(c Config) (*Commands, error) {
	if c.Folder == "" {
		return nil, fault.Errorf(fault.Invalid, "commands need a folder")
	}
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return nil, diskFault(err, c.Folder)
	}
	folder, err := filepath.Abs(c.Folder)
	if err != nil {
		return nil, diskFault(err, c.Folder)
	}
	c.Folder = folder
	if len(c.ExecCommand) == 0 {
		c.ExecCommand = []string{process.Self(), "command-exec"}
	}
	if c.Keep == 0 {
		c.Keep = 30 * 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	where, err := identity(folder)
	if err != nil {
		return nil, diskFault(err, folder)
	}
	commands := &Commands{config: c, where: where}
	_ = commands.Prune() // what cannot be removed only takes room
	return commands, nil
}

// identity reads what tells the folder from others, or decides it the first time.
func identity(folder string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startsWithin)
	defer cancel()
	unlock, err := process.WaitLock(ctx, filepath.Join(folder, "lock"), syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer unlock()
	path := filepath.Join(folder, "folder.json")
	f, found, err := process.ReadRecord[folderFile](path)
	if err != nil || found {
		return f.ID, err
	}
	var raw [8]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", err
	}
	f.ID = hex.EncodeToString(raw[:])
	return f.ID, process.WriteRecord(path, f)
}

type folderFile struct {
	ID string `json:"id"`
}

// Where tells this folder, which is one machine's, from those of others.
func (c *Commands) Where() string { return c.where }

// dir is the folder of one command; escaping leaves no slash, and the sign before
// it no "..".
func (c *Commands) dir(id string) string {
	return filepath.Join(c.config.Folder, "@"+url.QueryEscape(id))
}

// Forget removes what is known of a command that does not run. An ID that was
// forgotten must not be started again: a start that was under way could meet it.
func (c *Commands) Forget(id string) error { return c.forget(c.dir(id)) }

func (c *Commands) forget(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	unlock, err := process.TryLock(filepath.Join(dir, "lock"), syscall.LOCK_EX)
	if errors.Is(err, process.ErrLocked) {
		return fault.Errorf(fault.Conflict, "the command still runs").WithHint("stop it first")
	}
	if err != nil {
		return diskFault(err, dir)
	}
	defer unlock()
	return diskFault(os.RemoveAll(dir), dir)
}

// pruneEvery is the time between two looks for what has long been over.
const pruneEvery = time.Hour

// Prune forgets the commands about which nothing has changed for as long as
// Config.Keep; those that run are left alone.
func (c *Commands) Prune() error {
	now := c.config.Now()
	c.mu.Lock()
	due := now.Sub(c.pruned) >= pruneEvery || now.Before(c.pruned)
	if due {
		c.pruned = now
	}
	c.mu.Unlock()
	if !due {
		return nil
	}
	entries, err := os.ReadDir(c.config.Folder)
	if err != nil {
		return diskFault(err, c.config.Folder)
	}
	var faults []error
	for _, e := range entries {
		dir := filepath.Join(c.config.Folder, e.Name())
		if !strings.HasPrefix(e.Name(), "@") || now.Sub(changed(dir)) < c.config.Keep {
			continue
		}
		if err := c.forget(dir); fault.CodeOf(err) != fault.Conflict {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// changed is when something was last written in the folder, or about the command in it.
func changed(dir string) (last time.Time) {
	for _, path := range []string{dir, recordPath(dir), resultPath(dir), outputPath(dir), stoppedPath(dir)} {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// diskFault says what a failed file operation means to the operator.
func diskFault(err error, path string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Errorf(fault.Unavailable, "the disk is full: %w", err).
			WithHint("free some space on the disk of %s; the work goes on by itself", filepath.Dir(path))
	default:
		return fault.Errorf(fault.Unavailable, "use the folder of commands: %w", err).
			WithHint("check that %s is there and that the worker may write to it", filepath.Dir(path))
	}
}
