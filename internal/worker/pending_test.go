package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

// What no server can read is kept until what comes after it would have to go instead.
func TestWhatNoServerCanReadIsLeftOutWhereThereIsNoRoom(t *testing.T) {
	unread := errors.Join(stage.ErrUnread, fault.Errorf(fault.Invalid, "unexpected property"))
	for name, more := range map[string]stage.Outcome{
		"samples": {Status: stage.Continue, Points: make([]stage.Point, 100)},
		"lines":   {Status: stage.Continue, Lines: make([]stage.Line, 100)},
	} {
		t.Run(name, func(t *testing.T) {
			c := told(t, stage.Continue)
			c.unsaid.sent.Outcome.Points = make([]stage.Point, 3)
			kept := 0
			for ; !c.lighten(unread); kept += 100 {
				if kept > mostUnsaid {
					t.Fatal("it is kept for ever, and what comes after it goes")
				}
				c.unsaid.add(more, time.Now())
			}
			if most := map[string]int{"samples": mostUnsaid, "lines": mostUnsaidLines}[name]; kept != most {
				t.Errorf("the samples were left out after %d %s, and there is room for %d", kept, name, most)
			}
			if out := c.unsaid.sent.Outcome; len(out.Points) > 0 || len(out.Lines) != 1 || out.Lines[0].Kind != "report.refused" {
				t.Errorf("what is left is %+v", out)
			}
		})
	}
}
