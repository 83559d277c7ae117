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

// The time to become ready counts from when a pod was ready last: a probe that misses once fails no pod that has run for days.
func TestAPodFailsOnceItHasNotBeenReadyForItsTime(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	p := &Platform{settings: Settings{ReadyTimeout: Duration(2 * time.Minute)}, config: Config{Now: func() time.Time { return now }}}
	p.cluster = newCluster(t.Context(), nil, p.config.Now)
	const days = 72 * time.Hour
	for name, c := range map[string]struct {
		made, unready, asked time.Duration // ago
		failed               bool
	}{
		"one that was ready a moment ago":             {made: days, unready: time.Second, asked: days},
		"one that was ready before its time":          {made: days, unready: 3 * time.Minute, asked: days, failed: true},
		"one that was, and has been asked for again":  {made: days, unready: 3 * time.Minute, asked: time.Minute},
		"a young one that never was":                  {made: time.Minute, unready: time.Minute, asked: days},
		"one that never was in its time":              {made: 3 * time.Minute, unready: 3 * time.Minute, asked: 4 * time.Minute, failed: true},
		"one that never was, and has been asked anew": {made: 3 * time.Minute, unready: 3 * time.Minute, asked: time.Minute},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a", CreationTimestamp: metav1.NewTime(now.Add(-c.made))}}
		pod.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodReady, Status: corev1.ConditionFalse, Message: "its probe misses", LastTransitionTime: metav1.NewTime(now.Add(-c.unready)),
		}}
		i := p.instance(t.Context(), pod, now.Add(-c.asked))
		want := "its probe misses"
		if c.failed {
			want = "not ready after 2m0s: its probe misses"
		}
		if i.Failed != c.failed || i.Message != want {
			t.Errorf("%s: failed is %t: %s", name, i.Failed, i.Message)
		}
	}
}

func TestAtHomePodsAreAskedForByTheAnchorToo(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	deployment := func() *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{sinceAnnotation: at.Format(time.RFC3339)}}}
	}
	w := &world{home: deployment(), mark: &mark{Asked: at.Add(time.Hour)}}
	if got := w.askedAt(w.home); !got.Equal(at.Add(time.Hour)) {
		t.Errorf("at home it was at %s", got)
	}
	if got := w.askedAt(deployment()); !got.Equal(at) {
		t.Errorf("on a side it was at %s", got)
	}
}

func TestAContainerIsOutOfMemoryUntilItsPodWasReadyAgain(t *testing.T) {
	killed := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		what    string
		unready time.Time
		broken  bool
	}{
		{"a pod that was not ready before either", killed.Add(-time.Minute), true},
		{"a pod that is unready since then", killed.Add(2 * time.Second), true},
		{"a pod that was ready for an hour since then", killed.Add(time.Hour), false},
	} {
		pod := &corev1.Pod{Status: corev1.PodStatus{
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(c.unready)}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "shop", RestartCount: 1, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
				LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", FinishedAt: metav1.NewTime(killed)}},
			}},
		}}
		if _, why := broken(pod); (why != "") != c.broken {
			t.Errorf("%s: %q", c.what, why)
		}
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

func controlled(name, by string) metav1.ObjectMeta {
	yes := true
	return metav1.ObjectMeta{Name: name, UID: types.UID(name), OwnerReferences: []metav1.OwnerReference{{UID: types.UID(by), Controller: &yes}}}
}

func TestAnEvictedPodIsLeftOutOnceItIsReplaced(t *testing.T) {
	two := int32(2)
	home := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{UID: "home"}, Spec: appsv1.DeploymentSpec{Replicas: &two}}
	evicted := &corev1.Pod{ObjectMeta: controlled("evicted", "set"), Status: corev1.PodStatus{Phase: corev1.PodFailed}}
	w := &world{
		replicaSets: []*appsv1.ReplicaSet{{ObjectMeta: controlled("set", "home")}},
		pods:        []*corev1.Pod{evicted, {ObjectMeta: controlled("a", "set")}},
	}
	if n := len(w.podsOf(home)); n != 2 {
		t.Errorf("before it is replaced there are %d pods", n)
	}
	w.pods = append(w.pods, &corev1.Pod{ObjectMeta: controlled("b", "set")})
	if pods := w.podsOf(home); len(pods) != 2 || pods[0].Name != "a" || pods[1].Name != "b" {
		t.Errorf("after it was replaced there are %v", pods)
	}
}

func TestPodsOfAFormerTemplateAreToldApart(t *testing.T) {
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
