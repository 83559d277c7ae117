package kubernetes

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// homeIn is the platform of a Deployment shop on a cluster in memory.
func homeIn(t *testing.T, objects ...runtime.Object) *Platform {
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		deployments: "DeploymentList", httpRoutes: "HTTPRouteList", endpointSlices: "EndpointSliceList",
	}, objects...)
	return &Platform{
		cluster: newCluster(t.Context(), client, time.Now), config: Config{Now: time.Now},
		settings: Settings{Namespace: "shop", Deployment: "shop", Service: "shop", Route: RouteName{Kind: "HTTPRoute", Name: "shop"}},
	}
}

func TestAHomeIsMissedOnlyWhereTheClusterHasNone(t *testing.T) {
	made, going := object("apps/v1", "Deployment", "shop", nil), object("apps/v1", "Deployment", "shop", nil)
	now := metav1.Now()
	going.SetDeletionTimestamp(&now)
	if err := homeIn(t).homeless(t.Context()); err != nil {
		t.Errorf("without a Deployment: %v", err)
	}
	if err := homeIn(t, made).homeless(t.Context()); !stale(err) {
		t.Errorf("with one that the mirror has not heard of: %v", err)
	}
	if err := homeIn(t, going).homeless(t.Context()); stale(err) || fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("with one that is being deleted: %v", err)
	}
}

// Somebody makes the Deployment between the look at it and the creation.
func TestAHomeThatSomebodyMakesMeanwhileIsLeftWithItsTraffic(t *testing.T) {
	theirs := object("apps/v1", "Deployment", "shop", nil)
	_ = unstructured.SetNestedField(theirs.Object, int64(3), "spec", "replicas")
	route := object("gateway.networking.k8s.io/v1", "HTTPRoute", "shop", nil)
	nothing := map[string]any{"backendRefs": []any{map[string]any{"name": "shop", "weight": int64(0)}}}
	_ = unstructured.SetNestedSlice(route.Object, []any{nothing}, "spec", "rules")
	p := homeIn(t, theirs, route)
	lease := platform.Lease{Fence: 7, Holder: "w"}
	w := &world{anchor: route, mark: &mark{Fence: 7, Holder: "w", Weights: platform.Weights{}, Original: []*int64{nil}}}
	var err error
	if w.split, err = p.splitOf(w); err != nil {
		t.Fatal(err)
	}
	var none int32
	own := &appsv1.Deployment{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"}}
	own.Spec.Replicas = &none
	if _, err := p.createHome(t.Context(), w, lease, platform.Target{}, own); !stale(err) {
		t.Errorf("it is made: %v", err)
	}
	left, err := p.client(deployments).Get(t.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n, _, _ := unstructured.NestedInt64(left.Object, "spec", "replicas"); n != 3 {
		t.Errorf("the Deployment has %d replicas", n)
	}
	now, err := p.client(httpRoutes).Get(t.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := readBackends(now, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if shares, _ := back.shares(); shares["shop"] != platform.Whole {
		t.Errorf("the route gives it %v", shares)
	}

	// What is there is the home from then on, and not a target of a first release.
	again := &world{
		anchor: now, mark: &mark{Fence: 7, Holder: "w", Weights: platform.Weights{}}, split: back,
		home: homeWith(t, "shop:v1", "", ""), homeRevision: platform.Revision{ID: "r-theirs"},
	}
	if s := p.state(t.Context(), again); s.Home != "r-theirs" || s.Weights["r-theirs"] != platform.Whole {
		t.Errorf("then it is %+v", s)
	}
}

func TestASideWithoutAHomeNotesNothingOfIt(t *testing.T) {
	side := homeWith(t, "shop:v2", "", "")
	(&Platform{settings: Settings{Controller: "argocd"}}).noteFound(side, nil, platform.Artifact{})
	if found, there := side.Annotations[foundAnnotation]; there {
		t.Errorf("it notes %q", found)
	}
}

func TestWhatTheCreationOwnedIsGivenToTheApply(t *testing.T) {
	entry := func(by string, how metav1.ManagedFieldsOperationType) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: by, Operation: how}
	}
	left := applied([]metav1.ManagedFieldsEntry{
		entry(fieldManager, metav1.ManagedFieldsOperationUpdate), entry(fieldManager, metav1.ManagedFieldsOperationApply), entry("kubectl", metav1.ManagedFieldsOperationUpdate),
	})
	if len(left) != 2 || left[0].Operation != metav1.ManagedFieldsOperationApply || left[1].Manager != "kubectl" {
		t.Errorf("left are %v", left)
	}
}
