package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// stuckAfter is when a pod whose containers are not made yet is asked about: what keeps it
// stands in events and not in its status.
const stuckAfter = 3 * time.Second

// keepBack are the reasons of warnings about what a pod cannot start without. Others may be
// there as well, and keep no pod from starting.
var keepBack = []string{"FailedMount", "FailedMapVolume", "FailedAttachVolume", "FailedCreatePodSandBox", "NetworkNotReady"}

// stuck tells that the pod has a node, and nothing that says why it does not start.
func stuck(pod *corev1.Pod) bool {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if c.State.Waiting == nil || c.State.Waiting.Message != "" {
			return false
		}
	}
	return pod.Status.StartTime != nil
}

// warned is the last warning about a stuck pod; empty if there is none, or none that the
// worker may read. The same pod is asked about less and less often.
func (p *Platform) warned(ctx context.Context, pod *corev1.Pod) string {
	age := p.config.Now().Sub(pod.CreationTimestamp.Time)
	if age < stuckAfter || !stuck(pod) {
		return ""
	}
	key := fmt.Sprintf("%s/%d", pod.UID, bits.Len64(uint64(age/stuckAfter)))
	if text, ok := p.cluster.warnings.load(key); ok {
		return text
	}
	ctx, cancel := context.WithTimeout(ctx, logLimit)
	defer cancel()
	list, err := p.client(events).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning,involvedObject.uid=" + string(pod.UID)})
	if err != nil {
		return ""
	}
	var all []corev1.Event
	for i := range list.Items {
		var e corev1.Event
		if runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &e) == nil && slices.Contains(keepBack, e.Reason) {
			all = append(all, e)
		}
	}
	text := ""
	if len(all) > 0 {
		last := slices.MaxFunc(all, func(a, b corev1.Event) int { return cmp.Compare(a.LastTimestamp.Unix(), b.LastTimestamp.Unix()) })
		text = last.Reason + ": " + last.Message
	}
	p.cluster.warnings.store(key, text)
	return text
}

// gone matches a warning that something which the pod needs is not in the cluster.
var gone = regexp.MustCompile(`^FailedMount: .*(\b(secret|configmap) "[^"]+" not found|references non-existent)`)
