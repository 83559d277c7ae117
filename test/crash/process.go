package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/fairwayhq/fairway/test/program"
)

// process is a server or a worker.
func (r *rig) process(name string, args ...string) *program.Program {
	return &program.Program{
		Name: name, Path: r.path("fairway"), Dir: r.dir, Args: args,
		Env: append(os.Environ(), "FAIRWAY_CRASH_AIMS="+r.path("aims-"+name), "FAIRWAY_CRASH_TRACE="+r.path("trace")),
	}
}

// aimAt writes what is to kill the process to where it reads that.
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

// hit returns the ID of the card that killed the process, and all names of the point at which
// it died. It is told once; nobody else dies of that card.
func (r *rig) hit(p *program.Program) (id string, points []string) {
	words, _ := filepath.Glob(r.path("hit-*"))
	for _, path := range words {
		text, _ := os.ReadFile(path)
		if said := strings.Fields(string(text)); len(said) > 0 && said[0] == "aims-"+p.Name {
			_ = os.Truncate(path, 0)
			return strings.TrimPrefix(filepath.Base(path), "hit-"), said[1:]
		}
	}
	return "", nil
}

// unhit lets a card kill again whose kill did not count.
func (r *rig) unhit(id string) {
	if id != "" {
		_ = os.Remove(r.path("hit-" + id))
	}
}
