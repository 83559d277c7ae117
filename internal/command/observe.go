package command

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/process"
)

// record is what a supervisor writes about itself before it begins.
type record struct {
	process.Process
	// Command leads the command's group; zero until it has begun.
	Command   process.Process `json:"command,omitzero"`
	StartedAt time.Time       `json:"startedAt"`
}

// result is how a command ended.
type result struct {
	// How is empty for status 0.
	How string `json:"how,omitempty"`
	// Stopped says that it did not end by itself.
	Stopped bool      `json:"stopped,omitempty"`
	EndedAt time.Time `json:"endedAt"`
	Output  string    `json:"output,omitempty"`
}

func recordPath(dir string) string  { return filepath.Join(dir, "record.json") }
func resultPath(dir string) string  { return filepath.Join(dir, "result.json") }
func stoppedPath(dir string) string { return filepath.Join(dir, "stopped") }
func outputPath(dir string) string  { return filepath.Join(dir, "output") }
func lockPath(dir string) string    { return filepath.Join(dir, "lock") }
func workPath(dir string) string    { return filepath.Join(dir, "work") }
func logPath(dir string) string     { return filepath.Join(dir, "log") }

// Observe says where the command is. If its supervisor was killed, what is left of
// the command is ended first: nobody could know its result.
func (c *Commands) Observe(id string) (State, error) {
	dir := c.dir(id)
	begun, found, err := process.ReadRecord[record](recordPath(dir))
	if err != nil {
		return State{}, diskFault(err, recordPath(dir))
	}
	if !found {
		stopped, err := exists(stoppedPath(dir))
		if stopped {
			return State{Phase: Stopped, How: "it was stopped before it began"}, nil
		}
		return State{}, diskFault(err, dir)
	}
	alive := begun.Alive()
	// Read after the look at the process: it may have ended in between.
	end, found, err := process.ReadRecord[result](resultPath(dir))
	switch {
	case err != nil:
		return State{}, diskFault(err, resultPath(dir))
	case found && end.Stopped:
		return State{Phase: Stopped, StartedAt: begun.StartedAt, EndedAt: end.EndedAt, How: end.How, Output: end.Output}, nil
	case found:
		return State{Phase: Ended, StartedAt: begun.StartedAt, EndedAt: end.EndedAt, How: end.How, Output: end.Output}, nil
	}
	output, _ := os.ReadFile(outputPath(dir)) // a moment without it costs nothing
	if alive {
		return State{Phase: Running, StartedAt: begun.StartedAt, Output: string(output)}, nil
	}
	bury(begun)
	return State{Phase: Lost, StartedAt: begun.StartedAt, How: "its result is unknown, as the process that looked after it was killed", Output: string(output)}, nil
}

// bury ends what a killed supervisor left.
func bury(r record) {
	if runtime.GOOS != "linux" && r.Command.Alive() { // a session cannot be searched for there
		_ = process.SignalGroup(r.Command.PID, syscall.SIGKILL)
		return
	}
	endSession(r.Process)
}

// endSession kills all of the session but the caller, again and again as long as
// there is somebody: what forks fast may be missed at the first look.
func endSession(leader process.Process) {
	for range 400 {
		process.Sweep("", leader)
		if len(process.Remnants("", leader)) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
