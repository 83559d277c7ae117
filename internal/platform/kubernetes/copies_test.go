package kubernetes

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func scalerWith(minimum int64, annotation string) *unstructured.Unstructured {
	hpa := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"minReplicas": minimum}}}
	if annotation != "" {
		hpa.SetAnnotations(map[string]string{minimumAnnotation: annotation})
	}
	return hpa
}

func TestAMinimumIsGivenBackOnlyWhileItIsWhatItWasRaisedTo(t *testing.T) {
	for name, c := range map[string]struct {
		minimum    int64
		annotation string
		from       int64
		still      bool
	}{
		"as it was raised":    {4, raised{from: 2, to: 4}.String(), 2, true},
		"somebody raised it":  {6, raised{from: 2, to: 4}.String(), 2, false},
		"somebody lowered it": {1, raised{from: 2, to: 4}.String(), 2, false},
		"from nothing":        {1, raised{from: 0, to: 1}.String(), 0, true},
		"as it was once kept": {4, "2", 2, true},
		"nobody can read it":  {4, "many", -1, false},
	} {
		hpa := scalerWith(c.minimum, c.annotation)
		r := raisedOf(hpa)
		if r == nil || r.from != c.from || r.still(hpa) != c.still {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := raisedOf(scalerWith(1, "")); r != nil {
		t.Errorf("nobody has raised it: %+v", r)
	}
}
