package kubernetes

import (
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
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
