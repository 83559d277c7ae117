//go:build !linux

package script

func mayMount() bool { return false }

func unmount(string) {}

func room(ts *script, _ bool, _ []string) { ts.Fatalf("small disks are made on Linux only") }
