package kubernetes

import (
	"context"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// The kinds that the platform reads and writes.
var (
	deployments     = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	replicaSets     = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}
	pods            = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	events          = schema.GroupVersionResource{Version: "v1", Resource: "events"}
	services        = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	configMaps      = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	secrets         = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	serviceAccounts = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	autoscalers     = schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}
	budgets         = schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}
	networkPolicies = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
	endpointSlices  = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
	serviceMonitors = schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: "servicemonitors"}
	httpRoutes      = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}
	grpcRoutes      = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "grpcroutes"}
)

// namespace is the mirror of what the platform watches in one namespace.
type namespace struct {
	ctx         context.Context // of its watches
	stop        context.CancelFunc
	asked       time.Time // guarded by the cluster's lock
	deployments *mirror[*appsv1.Deployment]
	replicaSets *mirror[*appsv1.ReplicaSet]
	pods        *mirror[*corev1.Pod]

	mu      sync.Mutex
	lists   map[schema.GroupVersionResource]*listing
	anchors map[anchorName]*anchorMirror
}

// in returns the mirror of a namespace, which is started at the first call.
func (c *cluster) in(name string) *namespace {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, ok := c.namespaces[name]; ok {
		n.asked = c.now()
		return n
	}
	of := func(r schema.GroupVersionResource) dynamic.ResourceInterface {
		return c.client.Resource(r).Namespace(name)
	}
	ctx, stop := context.WithCancel(c.ctx)
	n := &namespace{
		ctx: ctx, stop: stop, asked: c.now(),
		lists:   map[schema.GroupVersionResource]*listing{},
		anchors: map[anchorName]*anchorMirror{},
	}
	n.deployments = newMirror(ctx, &c.watches, of(deployments), "", slimDeployment)
	n.replicaSets = newMirror(ctx, &c.watches, of(replicaSets), "", slim[appsv1.ReplicaSet])
	n.pods = newMirror(ctx, &c.watches, of(pods), "", slimPod)
	c.namespaces[name] = n
	return n
}

const (
	// idleAfter is when what nobody has asked for is watched no longer.
	idleAfter = time.Hour
	sweptEach = 5 * time.Minute
)

// sweep stops the mirrors that no target uses any more, again and again.
func (c *cluster) sweep() {
	tick := time.NewTicker(sweptEach)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
			c.stopIdle()
		}
	}
}

func (c *cluster) stopIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, n := range c.namespaces {
		if c.now().Sub(n.asked) > idleAfter { // no verb takes as long, so nobody holds it
			n.stop()
			delete(c.namespaces, name)
		}
	}
}

// slim converts an object and drops what nobody here reads. T is a struct whose pointer
// is an object.
func slim[T any, P interface {
	*T
	metav1.Object
}](u *unstructured.Unstructured) (P, error) {
	o := P(new(T))
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, o); err != nil {
		return nil, err
	}
	o.SetManagedFields(nil)
	return o, nil
}

func slimDeployment(u *unstructured.Unstructured) (*appsv1.Deployment, error) {
	d, err := slim[appsv1.Deployment](u)
	if err == nil {
		delete(d.Annotations, "kubectl.kubernetes.io/last-applied-configuration")
	}
	return d, err
}

// slimPod keeps what tells how a pod does.
func slimPod(u *unstructured.Unstructured) (*corev1.Pod, error) {
	p, err := slim[corev1.Pod](u)
	if err != nil {
		return nil, err
	}
	p.Annotations = nil
	var containers []corev1.Container
	for _, c := range p.Spec.Containers {
		containers = append(containers, corev1.Container{Name: c.Name, Image: c.Image, Ports: c.Ports})
	}
	p.Spec = corev1.PodSpec{Containers: containers}
	return p, nil
}
