package cli

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/replay"
)

func printReplay(w io.Writer, r replayed) {
	own := r.Courses[0]
	if r.Stage != "" {
		ended := r.Ended
		if ended == string(pipeline.StageUndone) {
			ended = "taken back"
		}
		fmt.Fprintf(w, "%s/%s: %s%s\n", r.Environment, r.Stage, ended, because(r.Why))
	}
	fmt.Fprintf(w, "The judge %s\n", decision(own, r.Looks))
	switch {
	case own.Differs != "":
		fmt.Fprintf(w, "It does not agree with the record: %s. Another version of Fairway judged then.\n", own.Differs)
	case r.Agrees != nil:
		fmt.Fprintf(w, "It agrees with the record at every look.\n")
	}
	if m := r.Opening.Calibration.Minutes; m > 0 {
		fmt.Fprintf(w, "It knew the service from %d minutes of the past.\n", m)
	}
	fmt.Fprintln(w)
	printChart(w, own)
	printTurns(w, own)
	printBeside(w, r)
}

func because(why string) string {
	if why == "" {
		return "."
	}
	return ": " + strings.TrimSuffix(firstLine(why), ".") + "."
}

// decision says in a sentence when the judge decided, and what.
func decision(c replay.Course, looks int) string {
	if d, ok := c.Decision(); ok {
		return fmt.Sprintf("decides after %s, at look %d of %d. %s", clock(d.After), d.Look, looks, d.Said)
	}
	return fmt.Sprintf("has not decided after %s and %d looks. %s", clock(c.Last.After), looks, c.Last.Said)
}

func clock(d time.Duration) string {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

const (
	chartWidth  = 60
	chartHeight = 5
)

// blocks fill a cell of the chart by eighths.
var blocks = []rune(" ▁▂▃▄▅▆▇█")

// printChart draws the evidence of harm on a logarithmic scale from 1 to what takes a
// release back, and the canary's weight below it.
func printChart(w io.Writer, c replay.Course) {
	steps := replay.Thin(c.Steps, chartWidth)
	if len(steps) < 2 {
		return
	}
	fmt.Fprintln(w, "evidence of harm")
	for row := chartHeight - 1; row >= 0; row-- {
		line := make([]rune, len(steps))
		for i, s := range steps {
			height := chartHeight * math.Log(math.Max(s.Evidence, 1)) / math.Log(c.Threshold)
			line[i] = blocks[int(math.Round(8*math.Min(math.Max(height-float64(row), 0), 1)))]
		}
		label := ""
		switch row {
		case chartHeight - 1:
			label = fmt.Sprintf("%.0f : 1", c.Threshold)
		case 0:
			label = "1 : 1"
		}
		fmt.Fprintf(w, "%10s │%s\n", label, strings.TrimRight(string(line), " "))
	}
	top := 0.0
	for _, s := range steps {
		top = math.Max(top, s.Weight)
	}
	line := make([]rune, len(steps))
	for i, s := range steps {
		line[i] = blocks[1+int(7*s.Weight/math.Max(top, 1e-9))]
		if s.Missing != "" {
			line[i] = '?'
		}
	}
	fmt.Fprintf(w, "%10s │%s\n", "weight", string(line))
	from, to := clock(seconds(steps[0].Seconds)), clock(seconds(steps[len(steps)-1].Seconds))
	fmt.Fprintf(w, "%10s  %s%*s\n\n", "", from, max(len(steps)-len(from), len(to)+1), to)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// printTurns lists the looks at which the verdict became another.
func printTurns(w io.Writer, c replay.Course) {
	var rows [][]string
	for _, t := range shortened(c.Turns) {
		rows = append(rows, []string{
			fmt.Sprint(t.Look), clock(t.After), percent(t.Weight), verdictOf(t.Kind, t.Reason), odds(t.Evidence), odds(math.Exp(t.Proof)),
			fmt.Sprintf("%d of %d", t.Errors, t.Requests),
		})
	}
	printTable(w, []string{"LOOK", "AFTER", "WEIGHT", "BECAME", "HARM", "NO WORSE", "CANARY'S ERRORS"}, rows)
	if n := len(c.Turns) - len(rows); n > 0 {
		fmt.Fprintf(w, "and %d turns between them\n", n)
	}
	fmt.Fprintln(w)
}

// mostTurns is how many turning points are shown; the first and the last ones.
const mostTurns = 16

func shortened(turns []replay.Turn) []replay.Turn {
	if len(turns) <= mostTurns {
		return turns
	}
	return append(turns[:mostTurns/2:mostTurns/2], turns[len(turns)-mostTurns/2:]...)
}

func verdictOf(k judge.Kind, r judge.Reason) string { return fmt.Sprintf("%s (%s)", k, r) }

// printBeside puts the variants side by side.
func printBeside(w io.Writer, r replayed) {
	var rows [][]string
	for _, c := range r.Courses {
		at, decided := c.Decision()
		when := "at " + clock(at.After)
		if !decided {
			at, when = c.Last, "not yet"
		}
		rows = append(rows, []string{
			c.Name, verdictOf(at.Kind, at.Reason), when, odds(at.Evidence), odds(math.Exp(at.Proof)),
			fmt.Sprint(at.Requests), fmt.Sprint(at.Errors), fmt.Sprintf("%.0f", at.Extra),
		})
	}
	printTable(w, []string{"SETTINGS", "VERDICT", "DECIDED", "HARM", "NO WORSE", "REQUESTS", "ERRORS", "EXTRA BAD"}, rows)
	fmt.Fprintln(w)
}

// odds writes a weight of evidence.
func odds(x float64) string {
	switch {
	case x >= 1e6:
		return "over a million"
	case x < 0.001:
		return "under 0.001"
	}
	return fmt.Sprintf("%.3g", x)
}
