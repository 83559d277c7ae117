package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// The role names the kind of route that the target has, or none with `split: pods`: manifests
// with another kind are compared all the same, but for that.
func TestWhatTheRoleDoesNotNameIsNotComparedAndSaidSo(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.URL.Path, "/httproutes") {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden"}`)
			return
		}
		fmt.Fprint(w, `{"kind": "ServiceList", "apiVersion": "v1", "items": [{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "shop"}}]}`)
	}))
	defer server.Close()
	client, err := dynamic.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	p := &Platform{cluster: newCluster(ctx, client, time.Now), settings: Settings{Namespace: "shop", Deployment: "shop"}}
	object := func(resource schema.GroupVersionResource, kind string) placedObject {
		o := &unstructured.Unstructured{Object: map[string]any{"kind": kind, "apiVersion": resource.GroupVersion().String()}}
		o.SetName("shop")
		return placedObject{resource, o}
	}
	desired := []placedObject{object(deployments, "Deployment"), object(httpRoutes, "HTTPRoute"), object(services, "Service")}
	now, err := p.live(t.Context(), desired, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"HTTPRoute shop was not compared: the worker may not read it."}; !slices.Equal(now.notes, want) {
		t.Errorf("the notes are %q", now.notes)
	}
	if len(now.desired) != 2 || len(now.live) != 2 || now.live[1]["kind"] != "Service" {
		t.Errorf("these are compared: %v with %v", now.desired, now.live)
	}
}
