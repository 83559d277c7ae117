package kubernetes

import (
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestAnAnchorIsWatchedAsLongAsSomebodyLooksAtIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTold(t, object("gateway.networking.k8s.io/v1", "HTTPRoute", "shop", nil))
		defer c.end()
		name := anchorName{httpRoutes, "shop"}
		look := func() *mirror[*unstructured.Unstructured] {
			t.Helper()
			m := c.in("shop").anchor(c.cluster, "shop", name)
			found, err := m.list(t.Context(), false)
			if err != nil || len(found) != 1 {
				t.Fatalf("a look finds %v, %v", found, err)
			}
			return m
		}
		first := look()
		for range 10 {
			time.Sleep(anchorKept - time.Second)
			if look() != first || c.open.Load() != 1 {
				t.Fatalf("%d watches are open while it is looked at", c.open.Load())
			}
		}
		time.Sleep(anchorKept + time.Second)
		synctest.Wait()
		if c.open.Load() != 0 {
			t.Errorf("%d watches are open of what nobody looks at", c.open.Load())
		}
		if look() == first || c.open.Load() != 1 {
			t.Errorf("%d watches are open at the next look", c.open.Load())
		}
	})
}
