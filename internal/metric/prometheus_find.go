package metric

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Finder is the optional ability of a source to tell, before there are two arms, how much its
// queries find.
type Finder interface {
	// Find tries the queries at Now, as they are for the service and the environment of the
	// ask. What tells the arms apart is not known yet, so anything stands in its place.
	Find(ctx context.Context, ask Ask) ([]Found, error)
}

// Found is how much one query finds now, of all revisions together.
type Found struct {
	// Metric is "requests", "errors" or "histogram".
	Metric string `json:"metric"`
	// Query is what was asked, with anything in the place of what tells the arms apart.
	Query  string `json:"query"`
	Series int    `json:"series"`
}

// Find implements Finder.
func (p *Prometheus) Find(ctx context.Context, ask Ask) ([]Found, error) {
	var all []Found
	for _, name := range queryNames {
		s, ok := p.queries[name]
		if !ok || s.windowed() {
			continue // an expression cannot be asked of any arm
		}
		s = s.ofAnyArm().fill(ask.values(armAsk{}))
		n, err := p.api.count(ctx, s, ask.Now)
		if err != nil {
			return nil, p.probeFault(name, err)
		}
		all = append(all, Found{Metric: name, Query: s.String(), Series: n})
	}
	return all, nil
}

// ofAnyArm puts anything in the place of words that only an arm has a value for. A condition
// that excludes by such a word is left out.
func (s selector) ofAnyArm() selector {
	of := selector{name: s.name}
	for _, m := range s.matchers {
		used := placeholder.FindAllString(m.value, -1)
		switch own := slices.ContainsFunc(used, onlyOfArm); {
		case own && m.op == "=":
			of.matchers = append(of.matchers, matcher{m.label, "=~", anyArm(m.value, regexp.QuoteMeta)})
		case own && m.op == "=~":
			of.matchers = append(of.matchers, matcher{m.label, "=~", anyArm(m.value, func(text string) string { return text })})
		case !own:
			of.matchers = append(of.matchers, m)
		}
	}
	return of
}

func onlyOfArm(word string) bool { return slices.Contains(telling, word) || word == "$namespace" }

// anyArm writes the value as a regular expression; literal does so for what is not a word.
func anyArm(value string, literal func(string) string) string {
	var b strings.Builder
	end := 0
	for _, at := range placeholder.FindAllStringIndex(value, -1) {
		b.WriteString(literal(value[end:at[0]]))
		if word := value[at[0]:at[1]]; onlyOfArm(word) {
			b.WriteString(".+")
		} else {
			b.WriteString(word)
		}
		end = at[1]
	}
	return b.String() + literal(value[end:])
}

// count tells how many series the selector selects.
func (a promAPI) count(ctx context.Context, s selector, at time.Time) (int, error) {
	if s.name == "" && len(s.matchers) == 0 {
		return 0, fault.Errorf(fault.Invalid, "it only says what an arm is not")
	}
	found, err := a.query(ctx, fmt.Sprintf("count(%s)", s), at, "vector")
	if err != nil || len(found) == 0 || found[0].Value == nil {
		return 0, err
	}
	return int(found[0].Value.v), nil
}

var _ Finder = (*Prometheus)(nil)
