package report

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"
)

func TestATableSaysWhatIsInIt(t *testing.T) {
	var b strings.Builder
	tab := Table{Title: "Numbers", Heads: []string{"who", "how many"}, Note: "Counted."}
	tab.Add("the first", "12")
	tab.Print(&b)
	for _, want := range []string{"Numbers\n", "the first", "12", "Counted."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	b.Reset()
	tab = Table{Heads: []string{"who", "none", "some"}}
	tab.Add("a", "", "1")
	tab.Add("b", "", "")
	if tab.Print(&b); strings.Contains(b.String(), "none") || !strings.Contains(b.String(), "some") {
		t.Errorf("of two columns, one of them empty, it prints\n%s", b.String())
	}
	b.Reset()
	(&Table{Title: "Nothing", Heads: []string{"x"}}).Print(&b)
	if b.String() != "" {
		t.Errorf("a table without rows prints %q", b.String())
	}
}

func TestAChartIsAWellFormedPicture(t *testing.T) {
	c := Chart{
		Title: "a < b", Series: []string{"one", "two"}, Log: true, Least: 0.5,
		Groups: []Group{{"x & y", []float64{0.5, 1000}}, {"z", []float64{math.NaN(), math.Inf(1)}}},
	}
	svg := c.svg()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(svg, `height="13"`); n != 3 {
		t.Errorf("it has %d bars, want 3", n)
	}
	if l := c.length(1000); l != chartWide {
		t.Errorf("the longest bar is %v long", l)
	}
	if low, high := c.length(1), c.length(10); math.Abs(c.length(100)-high-(high-low)) > 1e-9 {
		t.Error("the scale is not logarithmic")
	}
}
