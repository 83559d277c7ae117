package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// footing is what a stage must know to go back: what was at home before it
// touched anything. It is remembered, and so saved, before the first change.
type footing struct {
	// Known says that the target was looked at.
	Known bool `json:"known,omitempty"`
	// Mine says that the task's own revision was at home already: there is nothing
	// to go back to, and nothing to take away.
	Mine bool `json:"mine,omitempty"`
	// Previous was at home; nil for a first release.
	Previous *platform.Revision `json:"previous,omitempty"`
	Capacity platform.Capacity  `json:"capacity,omitzero"`
}

// note keeps what is at home, unless that is known already, or was noted by an
// earlier stage of the same release.
func (f *footing) note(task Task, s platform.State) {
	if f.Known {
		return
	}
	f.Known = true
	if earlier, ok := earlierFooting(task); ok {
		*f = earlier
		return
	}
	f.Mine = s.Home == task.Revision.ID
	if s.Home == "" || f.Mine {
		return
	}
	if home, ok := s.Revision(s.Home); ok {
		f.Previous, f.Capacity = &home.Revision, home.Capacity
	}
}

// earlierFooting is what an earlier stage of the environment noted. Once the first
// of them has moved traffic, only its note tells what was there before.
func earlierFooting(task Task) (footing, bool) {
	for name, memory := range task.Memories {
		if name == task.Stage.Name {
			continue
		}
		var f footing
		if json.Unmarshal(memory, &f) == nil && f.Known {
			return f, true
		}
	}
	return footing{}, false
}

// stable is the ID of the revision to go back to; empty for a first release.
func (f footing) stable() string {
	if f.Previous == nil {
		return ""
	}
	return f.Previous.ID
}

// full is the capacity of the task's revision when it takes all the traffic: what its
// settings say or, where they leave it open, as much as the home has or had.
func (f footing) full(task Task, s platform.State) platform.Capacity {
	var set struct {
		Instances int `json:"instances"`
	}
	_ = json.Unmarshal(task.Revision.Settings, &set) // the platform refuses settings that it cannot read
	if set.Instances > 0 {
		return platform.Capacity{Instances: set.Instances}
	}
	home, _ := s.Revision(f.stable())
	return platform.Capacity{Instances: max(f.Capacity.Instances, home.Capacity.Instances, 1)}
}

// readyInterval is how often a revision that starts is looked at.
const readyInterval = 200 * time.Millisecond

// standing is how a placed revision stands.
type standing struct {
	Ready  int
	Failed string // why it will not become ready; empty while it may
	Awaits string // why it has fewer instances than it should, if that is known
}

// place brings the task's revision to the capacity and tells how it stands.
func place(ctx context.Context, p platform.Platform, task Task, s platform.State, r platform.Revision, c platform.Capacity) (standing, error) {
	now, placed := s.Revision(r.ID)
	if !placed || now.Capacity.Instances < c.Instances {
		err := p.Place(ctx, task.Lease(), task.Target(), r, c)
		if code := fault.CodeOf(err); code == fault.Invalid || code == fault.Denied && !task.Undo {
			return standing{Ready: now.Ready(), Failed: fault.MessageWithHint(err)}, nil // trying again would change nothing
		}
		if err != nil {
			return standing{}, err
		}
		return standing{Ready: now.Ready()}, nil
	}
	st := standing{Ready: now.Ready(), Awaits: now.Awaits}
	for _, i := range now.Instances {
		if i.Failed && !i.Ready && st.Ready < c.Instances {
			st.Failed = fmt.Sprintf("instance %s: %s", i.ID, i.Message)
		}
	}
	return st, nil
}

// split is the weights of two revisions, share in [0, 1] for the first. A share
// above 0 is at least one in a million.
func split(revision string, share float64, rest string) platform.Weights {
	ppm := int(share*platform.Whole + 0.5)
	if share > 0 {
		ppm = max(ppm, 1)
	}
	w := platform.Weights{}
	if ppm > 0 {
		w[revision] = ppm
	}
	if ppm < platform.Whole {
		w[rest] = platform.Whole - ppm
	}
	return w
}

// aMillionth is the least difference between two shares.
const aMillionth = 1e-6

// allFailed says that no instance of the task's revision is left, and none will come up by
// itself; nothing where that is not so.
func allFailed(task Task, s platform.State) string {
	now, placed := s.Revision(task.Revision.ID)
	if !placed || len(now.Instances) == 0 || now.Ready() > 0 {
		return ""
	}
	for _, i := range now.Instances {
		if !i.Failed {
			return ""
		}
	}
	return fmt.Sprintf("no instance of %s is left: %s", name(task), now.Instances[0].Message)
}

// shareOf is the revision's share of the traffic, in [0, 1].
func shareOf(s platform.State, revision string) float64 {
	return float64(s.Weights[revision]) / platform.Whole
}

// weightLine tells that the revision has the share of the traffic now.
func weightLine(kind string, share float64, text string) Line {
	return Line{Kind: kind, Text: text, Data: plain(map[string]float64{"weight": share})}
}

// percent writes a share for people.
func percent(share float64) string {
	p := share * 100
	if p >= 10 {
		return fmt.Sprintf("%.0f %%", p)
	}
	return fmt.Sprintf("%.2g %%", p)
}

// name is what people call the task's revision.
func name(task Task) string {
	if task.Revision.Version != "" {
		return task.Revision.Version
	}
	return task.Revision.ID
}
