// Command pause does nothing until it is told to end. Every pod has one container of
// it, which holds the pod's namespaces and inherits its orphans.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// With nobody asked to hear of them, the kernel buries a pod's orphans itself.
	signal.Ignore(syscall.SIGCHLD)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	<-end
}
