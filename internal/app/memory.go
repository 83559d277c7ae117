package app

import (
	"os"
	"runtime/debug"
)

// workerGarbage is how many percent of what a worker keeps may be garbage beside it. It waits
// most of its life, on machines that others need, so time is cheaper than memory.
const workerGarbage = 50

// saveMemory is for a process that has started and is to run for long. GOGC says otherwise.
func saveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(workerGarbage)
	}
	forgetStart()
}
