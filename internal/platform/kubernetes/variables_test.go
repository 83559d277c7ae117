package kubernetes

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// managed is an entry of managed fields for the variables of the container web.
func managed(manager string, operation metav1.ManagedFieldsOperationType, env string) metav1.ManagedFieldsEntry {
	text := `{"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:env": {` + env + `}}}}}}}`
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, FieldsV1: metav1.NewFieldsV1(text)}
}

func TestAVariableGoesOnlyIfItWasFairwaysAlone(t *testing.T) {
	const (
		ours = metav1.ManagedFieldsOperationApply
		kind = metav1.ManagedFieldsOperationUpdate
	)
	fairway := managed("fairway", ours, `"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}`)
	former, next := map[string]string{"A": "1"}, map[string]string{"B": "1"}
	for name, c := range map[string]struct {
		entries []metav1.ManagedFieldsEntry
		next    map[string]string
		gone    []string
		valued  bool
	}{
		"nobody else has it":          {[]metav1.ManagedFieldsEntry{fairway}, next, []string{"A"}, true},
		"the release names it again":  {[]metav1.ManagedFieldsEntry{fairway}, former, nil, true},
		"the team has the same value": {[]metav1.ManagedFieldsEntry{fairway, managed("kubectl", kind, `".": {}, "k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}`)}, next, nil, false},
		"the team had another value":  {[]metav1.ManagedFieldsEntry{fairway, managed("kubectl", kind, `"k:{\"name\":\"A\"}": {".": {}, "f:name": {}}`)}, next, nil, true},
		"the team has others":         {[]metav1.ManagedFieldsEntry{fairway, managed("kubectl", kind, `"k:{\"name\":\"C\"}": {".": {}, "f:name": {}, "f:value": {}}`)}, next, []string{"A"}, true},
		"the team has taken it over":  {[]metav1.ManagedFieldsEntry{managed("kubectl", kind, `"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}`)}, next, nil, false},
		"Fairway has changed its own": {[]metav1.ManagedFieldsEntry{managed("fairway", kind, `"k:{\"name\":\"A\"}": {".": {}, "f:value": {}}`), managed("fairway", ours, `"k:{\"name\":\"A\"}": {".": {}, "f:name": {}}`)}, next, []string{"A"}, true},
	} {
		v := managedVariables(c.entries, "web")
		if got := v.left(former, c.next); !slices.Equal(got, c.gone) || v.valued["A"] != c.valued {
			t.Errorf("%s: %v goes, not %v; its value is Fairway's alone: %v", name, got, c.gone, v.valued["A"])
		}
	}
	if v := managedVariables([]metav1.ManagedFieldsEntry{fairway}, "sidecar"); len(v.left(former, next)) > 0 {
		t.Errorf("of another container there goes %v", v.left(former, next))
	}
}
