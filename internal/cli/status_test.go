package cli

import (
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func TestAStatusAdvisesOnlyWhatTheReaderMayDo(t *testing.T) {
	for name, c := range map[string]struct {
		state   pipeline.RunState
		actions string
		want    string
	}{
		"an approval":                         {pipeline.RunRunning, "approve reject rollback", "\n  `fairway approve r1` says yes, `fairway reject r1` says no.\n\n"},
		"a decision":                          {pipeline.RunRunning, "decide reject rollback", "\n  `fairway approve r1` says yes, `fairway reject r1` says no.\n\n"},
		"an approval that was given":          {pipeline.RunRunning, "reject", "\n  `fairway reject r1` says no.\n\n"},
		"somebody else's answer":              {pipeline.RunRunning, "pause", "\n\n"},
		"an undoing that failed":              {pipeline.RunRollingBack, "rollback", "\n  `fairway rollback r1` tries again.\n\n"},
		"an undoing that takes long":          {pipeline.RunRollingBack, "", "\n\n"},
		"somebody else's undoing that failed": {pipeline.RunRollingBack, "resume", "\n\n"},
	} {
		r := client.ReleaseDetail{Asks: "What now?"}
		r.ID, r.State, r.Actions, r.Plan = "r1", c.state, strings.Fields(c.actions), &pipeline.Plan{}
		var out strings.Builder
		printRelease(&out, r)
		if want := "A person is asked: What now?" + c.want; !strings.Contains(out.String(), want) {
			t.Errorf("%s: it says\n%s", name, out.String())
		}
	}
}
