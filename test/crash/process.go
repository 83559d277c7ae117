package main

import (
	"os"
	"strings"

	"github.com/fairwayhq/fairway/test/program"
)

// process is the server or the worker.
func (r *rig) process(name string, args ...string) *program.Program {
	return &program.Program{
		Name: name, Path: r.path("fairway"), Dir: r.dir, Args: args,
		Env: append(os.Environ(), "FAIRWAY_CRASH_AIMS="+r.path("aims-"+name), "FAIRWAY_CRASH_TRACE="+r.path("trace")),
	}
}

// aims is where the process reads what kills it, and what did.
func (r *rig) aimAt(p *program.Program, cards []card) error {
	var text strings.Builder
	for _, c := range cards {
		text.WriteString(c.aim())
	}
	path := r.path("aims-" + p.Name)
	if err := os.WriteFile(path+".new", []byte(text.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// hit returns the ID of the card that killed the process, and all names of the
// point at which it died, and forgets them.
func (r *rig) hit(p *program.Program) (id string, points []string) {
	path := r.path("aims-"+p.Name) + ".hit"
	text, err := os.ReadFile(path)
	_ = os.Remove(path)
	if words := strings.Fields(string(text)); err == nil && len(words) > 0 {
		return words[0], words[1:]
	}
	return "", nil
}
