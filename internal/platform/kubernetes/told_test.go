package kubernetes

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
)

// told is a cluster in memory whose watches are counted while they are open.
type told struct {
	*cluster
	pods *watch.FakeWatcher // of the first watch
	open atomic.Int32
	end  func()
}

func newTold(t *testing.T, objects ...runtime.Object) *told {
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		pods: "PodList", httpRoutes: "HTTPRouteList",
	}, objects...)
	c := &told{pods: watch.NewFake()}
	serve := func(next func() *watch.FakeWatcher) clienttesting.WatchReactionFunc {
		return func(a clienttesting.Action) (bool, watch.Interface, error) {
			if a.(clienttesting.WatchActionImpl).ListOptions.SendInitialEvents != nil { // it lists first
				return true, nil, apierrors.NewInvalid(schema.GroupKind{}, "", nil)
			}
			c.open.Add(1)
			return true, closing{next(), func() { c.open.Add(-1) }}, nil
		}
	}
	client.PrependWatchReactor("pods", serve(func() *watch.FakeWatcher { return c.pods }))
	client.PrependWatchReactor("httproutes", serve(watch.NewFake))
	ctx, stop := context.WithCancel(t.Context())
	c.cluster = newCluster(ctx, client, time.Now)
	c.end = func() { stop(); c.watches.Wait() }
	return c
}

// closing tells when a watch is given up.
type closing struct {
	watch.Interface
	closed func()
}

func (c closing) Stop() {
	c.closed()
	c.Interface.Stop()
}

func object(apiVersion, kind, name string, labels map[string]string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetNamespace("shop")
	u.SetName(name)
	u.SetLabels(labels)
	u.SetResourceVersion("1")
	return u
}
