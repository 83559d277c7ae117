package kubernetes

import (
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// idling is a cluster whose clock the test moves.
func idling(t *testing.T) (c *cluster, pass func(time.Duration)) {
	t.Helper()
	client, err := dynamic.NewForConfig(&rest.Config{Host: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	return newCluster(t.Context(), client, func() time.Time { return now }), func(d time.Duration) { now = now.Add(d) }
}

func TestAMirrorThatNobodyAsksForIsStopped(t *testing.T) {
	c, pass := idling(t)
	used, idle := c.in("used"), c.in("idle")
	pass(idleAfter)
	c.in("used")
	c.stopIdle()
	if c.in("used") != used || len(c.namespaces) != 2 {
		t.Errorf("after just that time there are %d mirrors", len(c.namespaces))
	}
	pass(time.Minute)
	c.stopIdle()
	<-idle.ctx.Done()
	c.watches.Wait()
	if c.in("used") != used || c.in("idle") == idle {
		t.Error("the one that is used was stopped, or the other was not")
	}
}
