package cli

import (
	"strings"
	"testing"
	"time"

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

func TestAStatusSaysWhoSaysOtherwise(t *testing.T) {
	then := time.Now().Add(-time.Hour)
	git := func(unknown string, fields ...string) *client.GitDrift {
		return &client.GitDrift{Fields: fields, Since: then, Unknown: unknown}
	}
	const shows = "  `fairway drift shop -e production` shows how.\n"
	for name, c := range map[string]struct {
		drift client.Drift
		want  string
	}{
		"nobody":           {client.Drift{Git: git("")}, ""},
		"the release":      {client.Drift{Fields: []string{"a", "b"}, Since: then}, "\nWhat runs in production is not as the release says, first seen 1h ago: a, b\n" + shows},
		"the repository":   {client.Drift{Git: git("", "a")}, "\nWhat runs in production is not as the repository says, first seen 1h ago: a\n" + shows},
		"both the same":    {client.Drift{Fields: []string{"a"}, Since: then, Git: git("", "a")}, "\nWhat runs in production is not as the release and the repository say, first seen 1h ago: a\n" + shows},
		"nobody can tell":  {client.Drift{Git: git("time-out")}, "\nWhat the repository says of production could not be compared: time-out\n"},
		"each his own way": {client.Drift{Fields: []string{"a"}, Since: then, Git: git("", "b")}, "\nWhat runs in production is not as the release says, first seen 1h ago: a\n\nWhat runs in production is not as the repository says, first seen 1h ago: b\n" + shows},
	} {
		var out strings.Builder
		printDrift(&out, "shop", "production", c.drift)
		if out.String() != c.want {
			t.Errorf("%s: it says\n%s\nand not\n%s", name, out.String(), c.want)
		}
	}
}
