package kubernetes

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
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
