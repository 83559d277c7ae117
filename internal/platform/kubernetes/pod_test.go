package kubernetes

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestTheContainerThatIsBrokenIsNamed(t *testing.T) {
	ends := corev1.ContainerStatus{
		Name: "migrate", RestartCount: 3,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error"}},
	}
	waits := corev1.ContainerStatus{Name: "shop", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}}
	pod := &corev1.Pod{
		Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy"}, {Name: "shop"}}},
		Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{ends}, ContainerStatuses: []corev1.ContainerStatus{waits}},
	}
	container, why := broken(pod)
	if container != "migrate" || why != "container migrate: it ended with exit code 2 (Error), 3 times so far" {
		t.Errorf("%q: %s", container, why)
	}
	pod.Status = corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{waits}}
	if container, why := broken(pod); container != "" || why != "" {
		t.Errorf("one that may still start is broken: %q: %s", container, why)
	}
}

func TestTextsAboutPodsAreForgotten(t *testing.T) {
	r := newRecent()
	r.store("a", "no disk")
	r.store("b", "")
	for key, want := range map[string]string{"a": "no disk", "b": ""} {
		if text, ok := r.load(key); !ok || text != want {
			t.Errorf("%s is remembered as %q, %t", key, text, ok)
		}
	}
	for key, m := range r.texts {
		m.at = m.at.Add(-emptyFor - time.Second)
		r.texts[key] = m
	}
	if _, ok := r.load("b"); ok {
		t.Error("that there was nothing is remembered for too long")
	}
	if _, ok := r.load("a"); !ok {
		t.Error("a text is forgotten too soon")
	}
	r.swept = time.Time{}
	r.store("c", "more")
	if _, kept := r.texts["b"]; kept || len(r.texts) != 2 {
		t.Errorf("what is over is kept: %v", r.texts)
	}
}

func TestPodsOfAFormerTemplateAreToldApart(t *testing.T) {
	controlled := func(name, by string) metav1.ObjectMeta {
		yes := true
		return metav1.ObjectMeta{Name: name, UID: types.UID(name), OwnerReferences: []metav1.OwnerReference{{UID: types.UID(by), Controller: &yes}}}
	}
	template := func(image string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: image}}}}
	}
	home := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{UID: "home"}, Spec: appsv1.DeploymentSpec{Template: template("v2")}}
	set := func(name, by, image string) *appsv1.ReplicaSet {
		return &appsv1.ReplicaSet{ObjectMeta: controlled(name, by), Spec: appsv1.ReplicaSetSpec{Template: template(image)}}
	}
	w := &world{replicaSets: []*appsv1.ReplicaSet{set("old", "home", "v1"), set("new", "home", "v2"), set("other", "side", "v2")}}
	for name, by := range map[string]string{"a": "old", "b": "new", "c": "other", "d": "nobody"} {
		w.pods = append(w.pods, &corev1.Pod{ObjectMeta: controlled(name, by)})
	}
	present, former := w.podsOf(home), w.formerPodsOf(home)
	if len(present) != 1 || present[0].Name != "b" || len(former) != 1 || former[0].Name != "a" {
		t.Errorf("of the present template are %v, of a former one %v", present, former)
	}
}

func TestAHomeNeedsAsManyPodsAsTheSideUpToItsMaximum(t *testing.T) {
	for _, c := range []struct {
		side    int32
		maximum int64
		want    int32
	}{{4, 10, 4}, {4, 4, 4}, {6, 5, 5}} {
		if got := enough(c.side, c.maximum); got != c.want {
			t.Errorf("for %d pods beside it a home with at most %d needs %d", c.side, c.maximum, got)
		}
	}
}
