package kubernetes

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/fairwayhq/fairway/internal/platform"
)

// One after another, the logs of pods on a lost node would take their limit each. Here none is
// answered before all have been asked for.
func TestLogsOfFailedPodsAreReadAtOnce(t *testing.T) {
	const pods = 8
	var asked atomic.Int32
	all := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == pods {
			close(all)
		}
		select {
		case <-all:
			fmt.Fprintln(w, "no disk")
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	logs, err := newLogReader(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	p := &Platform{cluster: newCluster(t.Context(), nil, time.Now), settings: Settings{Namespace: "shop", Deployment: "shop", Service: "shop"}, config: Config{Now: time.Now}}
	p.cluster.logs = logs
	w := &world{homeRevision: platform.Revision{ID: "r-old"}}
	w.home = w.crashing("shop", pods/2)
	w.sides = []side{{w.crashing("shop-r-new", pods/2), platform.Revision{ID: "r-new"}}}
	told := 0
	for _, r := range p.revisions(t.Context(), w) {
		for _, i := range r.Instances {
			if i.Failed && strings.HasSuffix(i.Message, "its log ends: no disk") {
				told++
			} else {
				t.Errorf("%s says %q", i.ID, i.Message)
			}
		}
	}
	if told != pods {
		t.Errorf("%d of %d pods tell the end of their log", told, pods)
	}
}

// crashing adds a Deployment to the world whose pods end again and again.
func (w *world) crashing(name string, pods int) *appsv1.Deployment {
	owned := func(name, by string) metav1.ObjectMeta {
		yes := true
		return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), OwnerReferences: []metav1.OwnerReference{{UID: types.UID(by), Controller: &yes}}}
	}
	w.replicaSets = append(w.replicaSets, &appsv1.ReplicaSet{ObjectMeta: owned(name+"-1", name)})
	for n := range pods {
		w.pods = append(w.pods, &corev1.Pod{
			ObjectMeta: owned(fmt.Sprintf("%s-1-%d", name, n), name+"-1"),
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: "shop", RestartCount: 2, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			}}},
		})
	}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}}
}
