package kubernetes

import (
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAListenerHearsOfItsOwnUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTold(t)
		defer c.end()
		mirror, heard := c.in("shop").pods, 0
		end := mirror.onChange(func() { heard++ }, func(p *corev1.Pod) bool { return p.Labels[homeLabel] == "shop" })
		if _, err := mirror.list(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		own := map[string]string{homeLabel: "shop"}
		for _, step := range []struct {
			what string
			do   func()
			want bool
		}{
			{"another's pod has come", func() { c.pods.Add(object("v1", "Pod", "another", map[string]string{homeLabel: "shop-2"})) }, false},
			{"its own has come", func() { c.pods.Add(object("v1", "Pod", "own", own)) }, true},
			{"its own has lost the label", func() { c.pods.Modify(object("v1", "Pod", "own", nil)) }, true},
			{"what was its own has gone", func() { c.pods.Delete(object("v1", "Pod", "own", nil)) }, false},
			{"it has ended", func() { end(); c.pods.Add(object("v1", "Pod", "second", own)) }, false},
		} {
			before := heard
			step.do()
			synctest.Wait()
			if got := heard > before; got != step.want {
				t.Errorf("%s: heard is %t", step.what, got)
			}
		}
	})
}

// A watch that just ends is no failure. Until the informer has begun another, which may take
// half a minute, what it has may be old.
func TestWhatIsReadWhileThereIsNoWatchIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTold(t, object("v1", "Pod", "first", nil))
		defer c.end()
		mirror := c.in("shop").pods
		count := func() int {
			t.Helper()
			all, err := mirror.list(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		count()
		synctest.Wait() // until it watches
		_, err := c.client.Resource(pods).Namespace("shop").Create(t.Context(), object("v1", "Pod", "second", nil), metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if n := count(); n != 1 {
			t.Fatalf("before the watch has told of the second pod there are %d", n)
		}
		c.pods.Stop() // as an API server does that ends
		synctest.Wait()
		if n := count(); n != 2 {
			t.Errorf("without a watch there are %d pods", n)
		}
	})
}
