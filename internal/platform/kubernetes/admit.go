package kubernetes

import (
	"context"
	"reflect"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Admit puts a rule before each of the route's that lead to the home: with the same
// conditions and one more, leading to the side alone.
func (p *Platform) Admit(ctx context.Context, lease platform.Lease, t platform.Target, revision string, match platform.Match) error {
	return p.change(ctx, t, "admit requests to "+revision+" on", func(w *world) error {
		b, ok := w.split.(backends)
		if !ok {
			return fenceFirst(w, lease, t, fault.Errorf(fault.Invalid, "requests can only be chosen by a route, and the Service %s has none", p.settings.Service).
				WithHint("leave `audience` out, or name the `route` that leads to the Service in place of `split: pods`"))
		}
		_, beside := w.side(revision)
		if match != (platform.Match{}) && (!beside || p.ready(w, revision) == 0) {
			return fenceFirst(w, lease, t, fault.Errorf(fault.Conflict, "revision %s has no ready instance beside the home", revision).
				WithHint("place it and wait until Observe shows a ready instance"))
		}
		return p.claim(ctx, w, lease, t, func(*mark) (*unstructured.Unstructured, error) {
			return b.admit(p.sideName(revision), match), nil
		})
	})
}

// admit returns the route with the rules for what matches; nil if it has just those.
func (b backends) admit(side string, match platform.Match) *unstructured.Unstructured {
	var rules []any
	for i, rule := range b.rules {
		if b.admits(i, side) {
			continue
		}
		if match != (platform.Match{}) && slices.Contains(b.ours, i) {
			rules = append(rules, b.admitting(i, side, match))
		}
		rules = append(rules, rule)
	}
	if reflect.DeepEqual(rules, b.rules) {
		return nil
	}
	route := b.route.DeepCopy()
	_ = unstructured.SetNestedSlice(route.Object, rules, "spec", "rules")
	return route
}

// admits tells whether a rule leads to the side alone.
func (b backends) admits(rule int, side string) bool {
	return len(b.refs(rule)) == 1 && b.find(rule, side) != nil
}

// admitting is a rule of ours for those of its requests that match.
func (b backends) admitting(rule int, side string, match platform.Match) map[string]any {
	own, _ := b.rules[rule].(map[string]any)
	own = runtimeCopy(own)
	delete(own, "name") // names are unique
	ref := runtimeCopy(b.find(rule, b.home))
	ref["name"], ref["weight"] = side, int64(1)
	own["backendRefs"] = []any{ref}
	header := map[string]any{"type": "Exact", "name": match.Header, "value": match.Value}
	if match.Cookie != "" {
		header = map[string]any{
			"type": "RegularExpression", "name": "Cookie",
			"value": "^(.*; *)?" + regexp.QuoteMeta(match.Cookie+"="+match.Value) + "(;.*)?$",
		}
	}
	matches, _ := own["matches"].([]any)
	if len(matches) == 0 {
		matches = []any{map[string]any{}}
	}
	for _, m := range matches {
		m, _ := m.(map[string]any)
		headers, _ := m["headers"].([]any)
		m["headers"] = append(headers, header)
	}
	own["matches"] = matches
	return own
}
