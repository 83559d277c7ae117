package report

import (
	"fmt"
	"html"
	"io"
	"math"
	"os"
	"strings"
)

// Chart is grouped bars: for each group a bar per series, with their values written
// at the ends.
type Chart struct {
	Title, Unit string
	// Series name the bars of a group.
	Series []string
	Groups []Group
	// Log makes the scale logarithmic, from Least on.
	Log   bool
	Least float64
}

// Group is one group of bars; NaN leaves one out.
type Group struct {
	Name   string
	Values []float64
}

// The measures of a chart, in pixels. Colours go from Fairway's to the others'.
const (
	chartLeft, chartWide, chartTop = 210, 560, 64
	barHigh, barGap, groupGap      = 13, 2, 14
)

var colours = []string{"#1971c2", "#868e96", "#e8590c", "#f2a65a", "#9c36b5", "#c58fd6", "#2f9e44", "#8ccf9a", "#c92a2a", "#f09a9a"}

// Save writes the chart as an SVG file.
func (c *Chart) Save(path string) error {
	if err := os.WriteFile(path, []byte(c.svg()), 0o644); err != nil {
		return fmt.Errorf("save a plot: %w", err)
	}
	return nil
}

func (c *Chart) svg() string {
	var b strings.Builder
	group := len(c.Series)*(barHigh+barGap) + groupGap
	high := chartTop + len(c.Groups)*group + 30
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="11">`+"\n", chartLeft+chartWide+90, high)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="12" y="20" font-size="15" font-weight="600">%s</text>`+"\n", html.EscapeString(c.Title))
	c.legend(&b)
	c.grid(&b, high)
	for i, g := range c.Groups {
		y := chartTop + i*group + groupGap/2
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", chartLeft-8, y+(group-groupGap)/2+4, html.EscapeString(g.Name))
		for s, v := range g.Values {
			if math.IsNaN(v) {
				continue
			}
			top, long := y+s*(barHigh+barGap), c.length(v)
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d" font-size="10" fill="#495057">%s</text>`+"\n",
				chartLeft, top, math.Max(1, long), barHigh, colours[s%len(colours)], chartLeft+long+4, top+barHigh-3, html.EscapeString(c.label(v)))
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// legend stands below the title, as wide as its words.
func (c *Chart) legend(w io.Writer) {
	x := 12.0
	for i, s := range c.Series {
		fmt.Fprintf(w, `<rect x="%.0f" y="32" width="10" height="10" fill="%s"/><text x="%.0f" y="41">%s</text>`+"\n", x, colours[i%len(colours)], x+14, html.EscapeString(s))
		x += 30 + 6.2*float64(len([]rune(s)))
	}
}

// grid is a line at each power of ten, or at each quarter of a linear scale.
func (c *Chart) grid(w io.Writer, high int) {
	most := c.most()
	line := func(v float64) {
		x := chartLeft + c.length(v)
		fmt.Fprintf(w, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dee2e6"/><text x="%.1f" y="%d" text-anchor="middle" fill="#868e96">%s</text>`+"\n",
			x, chartTop-4, x, high-24, x, high-10, html.EscapeString(c.label(v)))
	}
	if !c.Log {
		for q := range 5 {
			line(most * float64(q) / 4)
		}
		return
	}
	for v := math.Pow(10, math.Ceil(math.Log10(c.Least))); v <= most; v *= 10 {
		line(v)
	}
}

func (c *Chart) label(v float64) string {
	if c.Unit == "%" {
		return Percent(v)
	}
	return Number(v)
}

func (c *Chart) most() float64 {
	most := c.Least
	for _, g := range c.Groups {
		for _, v := range g.Values {
			if v > most && !math.IsInf(v, 0) {
				most = v
			}
		}
	}
	if most <= 0 {
		return 1
	}
	return most
}

// length is that of a bar; one that never ends takes all the room.
func (c *Chart) length(v float64) float64 {
	switch most := c.most(); {
	case math.IsInf(v, 1):
		return chartWide
	case !c.Log:
		return chartWide * v / most
	case v <= c.Least || most <= c.Least:
		return 0
	default:
		return chartWide * math.Log(v/c.Least) / math.Log(most/c.Least)
	}
}
