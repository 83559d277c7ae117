package metric

import (
	"os/exec"
	"syscall"
)

// tie ends the process with the test, also when that is killed.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
