//go:build !linux

package metric

import "os/exec"

func tie(*exec.Cmd) {}
