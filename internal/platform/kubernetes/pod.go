package kubernetes

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/fairwayhq/fairway/internal/platform"
)

// reach is how long a gateway may take to hear of a new pod. A pod counts as ready when
// it has been for as long, so that traffic that is sent to it arrives.
const reach = 2 * time.Second

// podsOf are the pods that run a Deployment's present template. One that was evicted stays in
// the cluster as failed; it is left out once it has been replaced.
func (w *world) podsOf(d *appsv1.Deployment) []*corev1.Pod {
	present, _ := w.splitPods(d)
	running := slices.DeleteFunc(slices.Clone(present), func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodFailed })
	if len(running) < int(replicas(d)) {
		return present
	}
	return running
}

// formerPodsOf are pods that still run a template which a Deployment had before.
func (w *world) formerPodsOf(d *appsv1.Deployment) []*corev1.Pod {
	_, former := w.splitPods(d)
	return former
}

func (w *world) splitPods(d *appsv1.Deployment) (present, former []*corev1.Pod) {
	runs := map[string]bool{} // by the UID of the Deployment's ReplicaSets
	for _, rs := range w.replicaSets {
		if ownerOf(rs.OwnerReferences) != string(d.UID) {
			continue
		}
		template := rs.Spec.Template.DeepCopy()
		delete(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
		runs[string(rs.UID)] = equality.Semantic.DeepEqual(*template, d.Spec.Template)
	}
	for _, p := range w.pods {
		switch now, own := runs[ownerOf(p.OwnerReferences)]; {
		case own && now:
			present = append(present, p)
		case own:
			former = append(former, p)
		}
	}
	return present, former
}

// instance says how a pod does; asked is when its like were last asked for.
func (p *Platform) instance(ctx context.Context, pod *corev1.Pod, asked time.Time) platform.Instance {
	i := platform.Instance{ID: pod.Name, Address: address(pod), StartedAt: pod.CreationTimestamp.Time}
	if pod.Status.StartTime != nil {
		i.StartedAt = pod.Status.StartTime.Time
	}
	for _, c := range pod.Status.ContainerStatuses {
		i.Restarts += int(c.RestartCount)
	}
	ready, changed := readyCondition(pod)
	if ready {
		i.Ready = p.serves(pod)
		return i
	}
	if container, why := broken(pod); why != "" {
		i.Failed, i.Message = true, p.withLog(ctx, pod, container, why)
		return i
	}
	i.Message = waits(pod)
	if warning := p.warned(ctx, pod); warning != "" {
		i.Message, i.Failed = warning, gone.MatchString(warning)
	}
	// A pod that was ready has all the time again from when it was.
	began := later(later(i.StartedAt, changed), asked)
	if limit := time.Duration(p.settings.ReadyTimeout); !i.Failed && p.config.Now().Sub(began) > limit {
		i.Failed = true
		i.Message = p.withLog(ctx, pod, first(pod), strings.TrimSuffix(fmt.Sprintf("not ready after %s: %s", limit, i.Message), ": "))
	}
	return i
}

func address(pod *corev1.Pod) string {
	if pod.Status.PodIP == "" {
		return ""
	}
	for _, c := range pod.Spec.Containers {
		for _, port := range c.Ports {
			return net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(port.ContainerPort)))
		}
	}
	return pod.Status.PodIP
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// askedAt is when the Deployment's pods were last asked for.
func (w *world) askedAt(d *appsv1.Deployment) time.Time {
	at, _ := time.Parse(time.RFC3339, d.Annotations[sinceAnnotation])
	if w.mark != nil && d == w.home {
		at = later(at, w.mark.Asked)
	}
	return at
}

// serves tells that the pod is ready, and that everybody has had the time to hear of it.
func (p *Platform) serves(pod *corev1.Pod) bool {
	ready, since := readyCondition(pod)
	return ready && p.config.Now().Sub(since) >= reach
}

func readyCondition(pod *corev1.Pod) (ready bool, since time.Time) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue, c.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}

// broken says why a pod will not become ready by itself, and which container's log may tell
// more; empty while it may.
func broken(pod *corev1.Pod) (container, why string) {
	if pod.Status.Phase == corev1.PodFailed {
		return first(pod), strings.TrimSpace("the pod has failed: " + pod.Status.Reason + " " + pod.Status.Message)
	}
	_, unready := readyCondition(pod)
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if why := brokenContainer(c, unready); why != "" {
			return c.Name, fmt.Sprintf("container %s: %s", c.Name, why)
		}
	}
	return "", ""
}

// first is the container whose log is told where none is known to be the cause.
func first(pod *corev1.Pod) string {
	if len(pod.Spec.Containers) == 0 {
		return ""
	}
	return pod.Spec.Containers[0].Name
}

// noticed is how long it may take until a pod whose container has ended is said to be unready.
const noticed = 10 * time.Second

// brokenContainer says why a container of a pod that is unready since then will not come up.
func brokenContainer(c corev1.ContainerStatus, unready time.Time) string {
	last := c.LastTerminationState.Terminated
	// Who has been ready after it was killed is unready for another reason.
	if last != nil && last.Reason == "OOMKilled" && !c.Ready && !unready.After(last.FinishedAt.Add(noticed)) {
		return fmt.Sprintf("it was out of memory and killed, %s", times(c.RestartCount))
	}
	waiting := c.State.Waiting
	if waiting == nil {
		return ""
	}
	switch waiting.Reason {
	case "CrashLoopBackOff":
		if last == nil {
			return "it ends again and again"
		}
		return fmt.Sprintf("it ended with exit code %d (%s), %s", last.ExitCode, last.Reason, times(c.RestartCount))
	case "ErrImagePull", "ImagePullBackOff":
		// An image's name may well have such words and numbers in it.
		said := strings.ReplaceAll(waiting.Message, c.Image, "")
		if said == "" || transient.MatchString(said) {
			return ""
		}
		return fmt.Sprintf("the image %s cannot be pulled: %s", c.Image, waiting.Message)
	case "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "ImageInspectError":
		return waiting.Reason + ": " + waiting.Message
	}
	return ""
}

func times(n int32) string {
	if n <= 1 {
		return "once so far"
	}
	return fmt.Sprintf("%d times so far", n)
}

// transient matches what a registry says when it may well answer the next time.
var transient = regexp.MustCompile(`(?i)\b(429|5\d\d)\b|too ?many ?requests|time-?out|timed out|deadline exceeded|connection re(set|fused)|temporar|no such host|\bEOF\b|TLS handshake|unavailable`)

// waits says what a pod that is not broken waits for.
func waits(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "no node has room for it: " + c.Message
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Waiting != nil && c.State.Waiting.Message != "" {
			return c.State.Waiting.Reason + ": " + c.State.Waiting.Message
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Message != "" {
			return c.Message
		}
	}
	return ""
}

const (
	// logLines and logBytes are how much of a log is told with a failure, logLimit is how
	// long it may take.
	logLines = 10
	logBytes = 2000
	logLimit = 3 * time.Second
)

// withLog adds the last lines of the container's log.
func (p *Platform) withLog(ctx context.Context, pod *corev1.Pod, container, why string) string {
	lines := p.cluster.logs.last(ctx, pod, container)
	if lines == "" {
		return why
	}
	return why + "; its log ends: " + lines
}

// Logs returns the last lines of all pods of the revision.
func (p *Platform) Logs(ctx context.Context, _ platform.Target, revision string, lines int) ([]string, error) {
	w, err := p.look(ctx, false)
	if err != nil {
		return nil, err
	}
	d := w.home
	if s, ok := w.side(revision); ok {
		d = s.deployment
	} else if !w.atHome(revision) {
		return nil, nil
	}
	var all []string
	for _, pod := range w.podsOf(d) {
		text, err := p.cluster.logs.read(ctx, pod, first(pod), lines, false)
		if err != nil {
			return nil, faultOf(err, "read the log of pod "+pod.Name)
		}
		all = append(all, strings.Split(strings.TrimSuffix(text, "\n"), "\n")...)
	}
	return all[max(0, len(all)-lines):], nil
}

// logReader reads logs, and remembers the ends that it has read.
type logReader struct {
	client rest.Interface
	known  *recent // by the pod's UID, its restarts and the container
}

func newLogReader(config *rest.Config) (logReader, error) {
	config = rest.CopyConfig(config)
	config.GroupVersion, config.APIPath = &corev1.SchemeGroupVersion, "/api"
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	return logReader{client: client, known: newRecent()}, err
}

// last returns the end of what a container of a broken pod has printed in its last life, on
// one line; empty if there is nothing to be had. Whoever could not be asked is not asked
// again at once: the node may be lost.
func (l logReader) last(ctx context.Context, pod *corev1.Pod, container string) string {
	restarts, began := int32(0), false
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		restarts += c.RestartCount
		began = began || c.RestartCount > 0 || c.State.Running != nil || c.State.Terminated != nil
	}
	if !began {
		return ""
	}
	key := fmt.Sprintf("%s/%d/%s", pod.UID, restarts, container)
	if text, ok := l.known.load(key); ok {
		return text
	}
	ctx, cancel := context.WithTimeout(ctx, logLimit)
	defer cancel()
	text, err := l.read(ctx, pod, container, logLines, false)
	if err != nil || text == "" {
		text, err = l.read(ctx, pod, container, logLines, true)
	}
	switch {
	case ctx.Err() != nil:
		text = ""
	case err != nil || text == "":
		return "" // it may come yet
	}
	text = strings.TrimSpace(text)
	text = strings.ToValidUTF8(text[max(0, len(text)-logBytes):], "")
	text = strings.Join(strings.Split(text, "\n"), " | ")
	l.known.store(key, text)
	return text
}

func (l logReader) read(ctx context.Context, pod *corev1.Pod, container string, lines int, previous bool) (string, error) {
	get := l.client.Get().Namespace(pod.Namespace).Name(pod.Name).Resource("pods").SubResource("log").
		Param("tailLines", strconv.Itoa(lines)).Param("previous", strconv.FormatBool(previous))
	if container != "" {
		get = get.Param("container", container)
	}
	stream, err := get.Stream(ctx)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(stream, most))
	return string(text), err
}

// ownerOf is the UID of the object's controller; empty if it has none.
func ownerOf(refs []metav1.OwnerReference) string {
	for _, r := range refs {
		if r.Controller != nil && *r.Controller {
			return string(r.UID)
		}
	}
	return ""
}
