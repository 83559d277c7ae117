package stage

import (
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// darkFor is how long a revision that has traffic may be without a ready instance. Its
// instances may well come back, but meanwhile nobody answers its users, and metrics that only
// its instances could tell are silent.
const darkFor = 10 * time.Second

// darkLook is how often it is looked at meanwhile; what was not looked at for darkGap may have
// been ready in between.
const (
	darkLook = time.Second
	darkGap  = 5 * time.Second
)

// lightless says why a revision with traffic cannot go on, or nothing: none of its instances
// is left, or none has been ready for darkFor while stable has one that could answer instead.
func (t *trial) lightless(task Task, s platform.State, stable string, now time.Time) string {
	if why := allFailed(task, s); why != "" {
		return why
	}
	mine, placed := s.Revision(task.Revision.ID)
	other, _ := s.Revision(stable)
	if !placed || mine.Ready() > 0 || len(mine.Instances) == 0 || s.Weights[task.Revision.ID] == 0 || other.Ready() == 0 {
		t.Dark, t.SeenDark = time.Time{}, time.Time{}
		return ""
	}
	if gap := now.Sub(t.SeenDark); gap > darkGap || gap < 0 {
		t.Dark = now
	}
	t.SeenDark = now
	if now.Sub(t.Dark) < darkFor {
		return ""
	}
	why := fmt.Sprintf("no instance of %s has been ready for %s", name(task), pipeline.Duration(now.Sub(t.Dark).Round(time.Second)))
	if said := mine.Instances[0].Message; said != "" {
		why += ": " + said
	}
	return why
}

// pace is when to look again: after so long, or soon where the revision is dark.
func (t *trial) pace(after time.Duration) time.Duration {
	if t.Dark.IsZero() {
		return after
	}
	return min(after, darkLook)
}
