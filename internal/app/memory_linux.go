package app

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// forgetStart gives the program's own code back to the kernel's cache: each of a thousand
// packages has a start of its own, and with it the pages around it, two thirds of all code,
// count as the process's. What is needed again is mapped again, without a read while it is in
// the cache. Only code is given back, since nobody has ever written to it.
func forgetStart() {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		if _, err := fmt.Sscanf(line, "%x-%x r-xp", &from, &to); err != nil || !strings.HasSuffix(strings.TrimSpace(line), " "+self) {
			continue
		}
		// It is a hint: without it there is only more memory in use.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
	}
}
