package metric

import (
	"fmt"
	"slices"
	"strings"
)

// words are the $words of queries; telling are those that tell the arms apart.
var (
	words   = []string{"$arm", "$backend", "$environment", "$namespace", "$region", "$revision", "$service"}
	telling = []string{"$arm", "$backend", "$revision"}
)

// values are what stands for the $words of a query.
func (a Ask) values(arm armAsk) map[string]string {
	namespace, backend, found := strings.Cut(arm.backend, "/")
	if !found {
		namespace, backend = "", arm.backend
	}
	return map[string]string{
		"$arm": arm.arm, "$revision": arm.revision, "$backend": backend, "$namespace": namespace,
		"$service": a.Service, "$environment": a.Environment, "$region": a.Region,
	}
}

// nameless says why the selector cannot be asked for the arms by what their traffic goes to,
// or nothing. An empty name would select what is of no arm: all that lacks the label. One
// name for both would compare a thing with itself.
func (a Ask) nameless(name string, s selector, arms ...armAsk) string {
	used := s.placeholders()
	for _, word := range []string{"$namespace", "$backend"} {
		if !slices.Contains(used, word) {
			continue
		}
		for _, arm := range arms {
			if a.values(arm)[word] == "" {
				return fmt.Sprintf("the %s query asks by %s, and the platform names none for the %s arm (revision %s)", name, word, arm.arm, arm.revision)
			}
		}
	}
	apart := slices.Contains(used, "$arm") || slices.Contains(used, "$revision")
	if slices.Contains(used, "$backend") && !apart && a.StableBackend == a.CanaryBackend {
		return fmt.Sprintf("the %s query asks by $backend, and the traffic of both arms goes to %s", name, a.StableBackend)
	}
	return ""
}

// nameless says which query cannot be asked for the arms, and why, or nothing.
func (p *Prometheus) nameless(ask Ask, arms ...armAsk) string {
	for _, name := range queryNames {
		if why := ask.nameless(name, p.queries[name], arms...); why != "" {
			return why
		}
	}
	return ""
}
