package sandbox

// What the starter and the sandbox's first process tell each other, one JSON object a
// line: a Setup and then Orders go in by standard input; for each comes an answer out by
// standard output, and between those a Report of every process that ends.

// Setup is what the first process makes of the namespaces that it finds itself in.
type Setup struct {
	Dir     string
	Cgroup  string
	Address string
	Gateway string
	Keep    []string
	Pretend map[string]string
}

// Order asks for one of two things: to run a process, or to kill the one of that name.
type Order struct {
	Run  *Process
	Kill string
}

// Report is an answer (Ended is empty, and so is Error if all went well), or says
// that a process has ended, and how.
type Report struct {
	Name  string
	Error string
	Ended string
}

// LogFile is where the first process sends a process's output.
func (s Setup) LogFile(p Process) string { return logPath(s.Dir, p.Name) }
