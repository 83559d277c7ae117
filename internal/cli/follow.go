package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// follow tells what a release does until it has ended: a line that moves on a
// terminal, plain lines elsewhere, JSON lines with -o json.
func (c *command) follow(ctx context.Context, api *client.Client, ref string) error {
	var end client.ReleaseDetail
	var told int64 // the last event that was told
	live := &liveLine{w: c.errOut, moves: terminal(c.errOut) && c.format != "json"}
	err := api.Live(ctx, ref, "", client.Listener{
		Release: func(r client.ReleaseDetail) error {
			end = r
			live.set(liveText(r))
			if r.State.Final() {
				return client.ErrStop
			}
			return nil
		},
		Event: func(e client.Event) error {
			live.clear()
			defer live.draw()
			told = e.Seq
			return c.tell(e)
		},
	})
	live.clear()
	if ctx.Err() != nil {
		return fault.Errorf(fault.Unavailable, "stopped looking; the release goes on without it").
			WithHint("look again with `fairway status %s -w`", ref)
	}
	if err != nil {
		return err
	}
	// The stream tells the end before the events that led to it.
	if err := c.events(ctx, api, end.ID, told); err != nil {
		return err
	}
	if err := c.show(end, func(w io.Writer) { fmt.Fprintln(w, end.Headline) }); err != nil {
		return err
	}
	return ended(end.State)
}

// ended turns the end of a release into an exit code.
func ended(s pipeline.RunState) error {
	switch s {
	case pipeline.RunRolledBack:
		return &exitError{ExitRolledBack}
	case pipeline.RunFailed:
		return &exitError{ExitFailed}
	case pipeline.RunSuperseded, pipeline.RunCancelled:
		return &exitError{ExitEnded}
	}
	return nil
}

func liveText(r client.ReleaseDetail) string {
	text := r.Headline
	if p, ok := r.Live[r.Environment]; ok && p.Weight > 0 {
		text = fmt.Sprintf("%s %s", bar(p.Weight), text)
	}
	return text
}

// bar draws a share of traffic.
func bar(share float64) string {
	const width = 20
	n := int(share*width + 0.5)
	return "[" + strings.Repeat("█", n) + strings.Repeat("░", width-n) + "] " + percent(share)
}

func printEvent(w io.Writer, e client.Event) {
	where := e.Environment
	if where == "" {
		where = "-"
	}
	fmt.Fprintf(w, "%s  %-12s %s\n", e.At.Local().Format(time.TimeOnly), where, e.Text)
}

// liveLine is the last line of a terminal, written over as things change.
type liveLine struct {
	w     io.Writer
	moves bool
	text  string
	drawn bool
}

// longestLine keeps the line from wrapping on narrow terminals.
const longestLine = 110

func (l *liveLine) set(text string) {
	l.clear()
	l.text = text
	l.draw()
}

func (l *liveLine) draw() {
	if !l.moves || l.text == "" {
		return
	}
	text := []rune(strings.ReplaceAll(l.text, "\n", " "))
	if len(text) > longestLine {
		text = append(text[:longestLine-1], '…')
	}
	fmt.Fprint(l.w, string(text))
	l.drawn = true
}

func (l *liveLine) clear() {
	if l.drawn {
		fmt.Fprint(l.w, "\r\x1b[K")
		l.drawn = false
	}
}
