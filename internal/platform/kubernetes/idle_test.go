package kubernetes

import (
	"context"
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
	ended := make(chan struct{})
	idle.watch(func(ctx context.Context) {
		<-ctx.Done()
		close(ended)
	})
	pass(idleAfter)
	c.in("used")
	c.stopIdle()
	if c.in("used") != used || len(c.namespaces) != 2 {
		t.Errorf("after just that time there are %d mirrors", len(c.namespaces))
	}
	pass(time.Minute)
	c.stopIdle()
	<-ended
	c.watches.Wait()
	if c.in("used") != used || c.in("idle") == idle {
		t.Error("the one that is used was stopped, or the other was not")
	}
}

func TestAKeeperEndsWhenNothingStandsBesideTheHomeAndNobodyAsks(t *testing.T) {
	c, pass := idling(t)
	p := &Platform{cluster: c, settings: Settings{Namespace: "shop", Service: "shop", Deployment: "shop"}}
	c.kept[p.kept()] = c.now()
	if !p.keepsOn(false) {
		t.Error("it ends at once")
	}
	pass(2 * idleAfter)
	if !p.keepsOn(true) {
		t.Error("it ends while a side stands")
	}
	if p.keepsOn(false) {
		t.Error("it goes on for nobody")
	}
	if _, left := c.kept[p.kept()]; left {
		t.Error("who asks later would start no other one")
	}
}
