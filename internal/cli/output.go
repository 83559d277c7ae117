package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
	"golang.org/x/term"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// show prints v as JSON, or calls people for a table.
func (c *command) show(v any, people func(w io.Writer)) error {
	if c.format == "json" {
		return printJSON(c.out, v)
	}
	people(c.out)
	return nil
}

// terminal tells whether w is a terminal, and so may be written over.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// colours tells whether w should get colours.
func colours(w io.Writer) bool { return terminal(w) && os.Getenv("NO_COLOR") == "" }

// printTable prints rows below a header, aligned, without frames.
func printTable(w io.Writer, header []string, rows [][]string) {
	bold := lipgloss.NewStyle().PaddingRight(2)
	if colours(w) {
		bold = bold.Bold(true)
	}
	t := table.New().Headers(header...).Rows(rows...).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).BorderColumn(false).BorderRow(false).BorderHeader(false).
		Wrap(false).
		StyleFunc(func(row, _ int) lipgloss.Style {
			if row == table.HeaderRow {
				return bold
			}
			return lipgloss.NewStyle().PaddingRight(2)
		})
	for _, line := range strings.Split(t.String(), "\n") {
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

var stateColours = map[pipeline.RunState]string{
	pipeline.RunSucceeded: "2", pipeline.RunRolledBack: "3", pipeline.RunRollingBack: "3",
	pipeline.RunFailed: "1", pipeline.RunRunning: "4",
}

// state prints a run's state, in its colour where there are colours.
func state(w io.Writer, s pipeline.RunState) string {
	colour, ok := stateColours[s]
	if !ok || !colours(w) {
		return string(s)
	}
	return lipgloss.NewStyle().Foreground(lipgloss.Color(colour)).Render(string(s))
}

func ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	switch d := time.Since(t); {
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	default:
		return t.Local().Format("2006-01-02")
	}
}

func percent(share float64) string {
	return figures(100*share) + " %"
}

// figures is a number with the two digits that matter, and never with an exponent of ten.
func figures(n float64) string {
	if n >= 10 {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.2g", n)
}

func short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(12, len(digest))]
}
