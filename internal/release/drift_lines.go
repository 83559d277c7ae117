package release

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/ledger"
)

// driftLines tell what is new: of the release, of the repository, or of both in one line
// where they say the same.
func driftLines(environment string, before, now drive.Drift) []ledger.Event {
	plan := turn{"release", kindOf(before.Seen, now.Seen), now.Fields}
	was, is := gitOf(before), gitOf(now)
	git := turn{"repository", kindOf(was.Seen, is.Seen), is.Fields}
	var lines []ledger.Event
	switch {
	case plan.kind != "" && plan.kind == git.kind && slices.Equal(plan.fields, git.fields):
		lines = append(lines, plan.line(environment, "release and the repository say", "release", "repository"))
	default:
		for _, t := range []turn{plan, git} {
			if t.kind != "" {
				lines = append(lines, t.line(environment, t.who+" says", t.who))
			}
		}
	}
	switch {
	case is.Unknown != "" && was.Unknown == "":
		lines = append(lines, line("drift.unknown", environment, fmt.Sprintf("What the repository says of %s could not be compared: %s.", environment, is.Unknown)))
	case is.Unknown == "" && was.Unknown != "":
		lines = append(lines, line("drift.known", environment, fmt.Sprintf("What the repository says of %s is compared again.", environment)))
	}
	return lines
}

// turn is what is new of what one of both says.
type turn struct {
	who, kind string
	fields    []string
}

// kindOf is the kind of line that tells what is new, or "" where nothing is.
func kindOf(before, now drive.Seen) string {
	switch {
	case before.Hash == now.Hash:
		return ""
	case now.Hash == "":
		return "drift.gone"
	case before.Hash != "":
		return "drift.changed"
	}
	return "drift.found"
}

func (t turn) line(environment, says string, who ...string) ledger.Event {
	text := fmt.Sprintf("What runs in %s is not as the %s: %s.", environment, says, strings.Join(t.fields, ", "))
	if t.kind == "drift.gone" {
		text = fmt.Sprintf("What runs in %s is as the %s again.", environment, says)
	}
	l := line(t.kind, environment, text)
	l.Data, _ = json.Marshal(map[string]any{"fields": append([]string{}, t.fields...), "said": who}) // plain values
	return l
}

func line(kind, environment, text string) ledger.Event {
	return ledger.Event{Kind: kind, Actor: "fairway", Environment: environment, Text: text}
}

func gitOf(d drive.Drift) drive.GitDrift {
	if d.Git == nil {
		return drive.GitDrift{}
	}
	return *d.Git
}
