package kubernetes

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// maxName is the longest name of a Service.
const maxName = 63

// sideName is the name of all that stands beside the home for a revision.
func (p *Platform) sideName(revision string) string {
	base := p.settings.Deployment
	if most := maxName - len(revision) - 1; len(base) > most {
		base = strings.TrimRight(base[:most], "-.")
	}
	return base + "-" + revision
}

// wanted is the Deployment that a revision asks for, under the home's name: the one of its
// manifests or, without them, the home as it is; with its own image and config.
func (p *Platform) wanted(r platform.Revision, home *appsv1.Deployment) (*appsv1.Deployment, error) {
	s, err := ParseSettings(r.Settings)
	if err != nil {
		return nil, err
	}
	if len(r.Config.Files) > 0 || len(r.Config.Secrets) > 0 {
		return nil, fault.Errorf(fault.Invalid, "config files and secrets of a fairway.yaml do not reach pods").
			WithHint("put a ConfigMap or a Secret among the manifests; only `config: {env: …}` is set on pods")
	}
	d, err := s.deployment()
	if err != nil {
		return nil, err
	}
	if d == nil && home == nil {
		return nil, fault.Errorf(fault.Invalid, "there is no Deployment %s in the namespace %s, and the release has no manifests to make it from", p.settings.Deployment, p.settings.Namespace).
			WithHint("apply the Deployment first, correct `deployment`, or name the folder: kubernetes: {manifests: deploy}")
	}
	if d == nil {
		d = &appsv1.Deployment{Spec: *home.Spec.DeepCopy()}
		delete(d.Spec.Template.Annotations, "kubectl.kubernetes.io/restartedAt")
	}
	d.ObjectMeta = metav1.ObjectMeta{Name: p.settings.Deployment, Namespace: p.settings.Namespace, Labels: d.Labels, Annotations: d.Annotations}
	d.Status = appsv1.DeploymentStatus{}
	c, err := chosen(d.Spec.Template.Spec, p.settings.Container, r.Artifact)
	if err != nil {
		return nil, err
	}
	c.Image = imageOf(r.Artifact)
	setEnv(c, r.Config.Env)
	return d, nil
}

// deployment is the one among the manifests, or nil.
func (s Settings) deployment() (*appsv1.Deployment, error) {
	for _, raw := range s.Objects {
		var d appsv1.Deployment
		if err := json.Unmarshal(raw, &d); err != nil {
			return nil, unreadable(err)
		}
		if d.Kind == "Deployment" && d.Name == s.Deployment {
			return &d, nil
		}
	}
	return nil, nil
}

// setEnv sets variables, in a stable order.
func setEnv(c *corev1.Container, env map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		v := corev1.EnvVar{Name: name, Value: env[name]}
		if i := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == name }); i >= 0 {
			c.Env[i] = v
		} else {
			c.Env = append(c.Env, v)
		}
	}
}

// standing is what turns the wanted Deployment into one on a side.
type standing struct {
	name, home, revision string
	// changed are the labels that tell the side's pods from the home's: key to new value.
	changed map[string]string
	// pods are the labels of the home's pods.
	pods  map[string]string
	drain int64 // seconds
}

// standingOf chooses the labels to change: one that both the home and its Service select
// by, so that neither takes the side's pods for its own.
func (p *Platform) standingOf(revision string, d *appsv1.Deployment, service *corev1.Service) (standing, error) {
	s := standing{
		name: p.sideName(revision), home: p.settings.Deployment, revision: revision, changed: map[string]string{},
		pods: d.Spec.Template.Labels, drain: int64(time.Duration(p.settings.Drain).Seconds()),
	}
	if d.Spec.Selector == nil || len(d.Spec.Selector.MatchLabels) == 0 || len(service.Spec.Selector) == 0 {
		return s, fault.Errorf(fault.Invalid, "the Deployment %s or the Service %s selects its pods by no labels, so that another revision's pods could not be told apart", d.Name, service.Name).
			WithHint("give both a selector, such as `matchLabels: {app: %s}` and `selector: {app: %s}`, and the pods that label", d.Name, d.Name)
	}
	for _, key := range slices.Sorted(maps.Keys(service.Spec.Selector)) {
		if value, both := d.Spec.Selector.MatchLabels[key]; both {
			s.changed[key] = labelValue(value, revision)
			return s, nil
		}
	}
	for _, selector := range []map[string]string{service.Spec.Selector, d.Spec.Selector.MatchLabels} {
		key := slices.Sorted(maps.Keys(selector))[0]
		s.changed[key] = labelValue(selector[key], revision)
	}
	return s, nil
}

// labelValue is a label's value with the revision behind it, within the 63 characters.
func labelValue(value, revision string) string {
	if most := maxName - len(revision) - 1; len(value) > most {
		value = strings.TrimRight(value[:most], "-_.")
	}
	return strings.TrimLeft(value+"-"+revision, "-")
}

// labels are an object's labels with the changed ones, where it has them.
func (s standing) labels(of map[string]string) map[string]string {
	own := maps.Clone(of)
	for key, value := range s.changed {
		if _, has := own[key]; has {
			own[key] = value
		}
	}
	return own
}

// podLabels are the labels of the side's pods.
func (s standing) podLabels(of map[string]string) map[string]string {
	own := s.labels(of)
	if own == nil {
		own = map[string]string{}
	}
	maps.Copy(own, s.selector())
	return own
}

// selector is what the side's Deployment selects its pods by: labels of Fairway's alone, so
// that a pod stays the side's whatever becomes of its others.
func (s standing) selector() map[string]string {
	return map[string]string{homeLabel: s.home, revisionLabel: s.revision}
}

// mark are the labels of the side's objects themselves. Those of the home are left out:
// by them, tools that deploy know what is theirs to delete.
func (s standing) mark() map[string]string {
	return map[string]string{homeLabel: s.home, revisionLabel: s.revision, managedByLabel: managedByUs}
}

// deployment is the wanted one as it stands on a side.
func (s standing) deployment(wanted *appsv1.Deployment) *appsv1.Deployment {
	d := wanted.DeepCopy()
	d.ObjectMeta = metav1.ObjectMeta{Name: s.name, Namespace: wanted.Namespace, Labels: s.mark(), Annotations: map[string]string{}}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: s.selector()}
	d.Spec.Template.Labels = s.podLabels(d.Spec.Template.Labels)
	d.Spec.Paused = false
	linger(&d.Spec.Template.Spec, s.drain)
	return d
}

// linger lets pods answer on while gateways hear that they go.
func linger(spec *corev1.PodSpec, seconds int64) {
	for i := range spec.Containers {
		c := &spec.Containers[i]
		if c.Lifecycle == nil {
			c.Lifecycle = &corev1.Lifecycle{}
		}
		if c.Lifecycle.PreStop == nil && seconds > 0 {
			c.Lifecycle.PreStop = &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}
		}
	}
	if spec.TerminationGracePeriodSeconds != nil && *spec.TerminationGracePeriodSeconds <= seconds {
		longer := seconds + *spec.TerminationGracePeriodSeconds
		spec.TerminationGracePeriodSeconds = &longer
	}
}

// service leads to the side's pods, by the ports of the home's. What gateways are told of the
// home's by its annotations, how to speak to its pods for example, holds for the side's as well.
func (s standing) service(home *corev1.Service) *corev1.Service {
	own := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: s.name, Namespace: home.Namespace, Labels: s.objectLabels(home.Labels), Annotations: objectAnnotations(home.Annotations)},
		Spec:       corev1.ServiceSpec{Selector: s.selector()},
	}
	if home.Spec.ClusterIP == corev1.ClusterIPNone {
		own.Spec.ClusterIP = corev1.ClusterIPNone
	}
	for _, port := range home.Spec.Ports {
		port.NodePort = 0
		own.Spec.Ports = append(own.Spec.Ports, port)
	}
	return own
}

// objectLabels are labels of the home's object that others may select by, such as
// ServiceMonitors, without those by which deploying tools know their own.
func (s standing) objectLabels(of map[string]string) map[string]string {
	own := s.labels(of)
	maps.DeleteFunc(own, func(key, _ string) bool { return key == "app.kubernetes.io/instance" || ofOneAlone(key) })
	if own == nil {
		own = map[string]string{}
	}
	maps.Copy(own, s.mark())
	return own
}

// objectAnnotations are those of the home's object that hold for the side's as well.
func objectAnnotations(of map[string]string) map[string]string {
	own := maps.Clone(of)
	maps.DeleteFunc(own, func(key, _ string) bool { return ofOneAlone(key) })
	return own
}

// ofOneAlone tells that a label or an annotation is about its own object alone.
func ofOneAlone(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	for _, d := range oneAlone {
		if domain == d || strings.HasSuffix(domain, "."+d) {
			return true
		}
	}
	return key == "cloud.google.com/neg-status" || key == "getambassador.io/config"
}

// oneAlone are the domains of labels and annotations by which deploying tools know their own,
// and of those that publish an object under a name, which a second one would share.
var oneAlone = []string{
	"argocd.argoproj.io", "toolkit.fluxcd.io", "helm.sh", "kubectl.kubernetes.io", "config.k8s.io", "kapp.k14s.io", "objectset.rio.cattle.io",
	"external-dns.alpha.kubernetes.io", "external-dns.kubernetes.io", "tailscale.com", "fairway.dev",
}

// dress gives a Deployment what Fairway must know about it.
func dress(d metav1.Object, r platform.Revision, fence int64) error {
	packed, err := pack(r)
	if err != nil {
		return err
	}
	annotations := d.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[placedAnnotation] = packed
	annotations[fenceAnnotation] = strconv.FormatInt(fence, 10)
	d.SetAnnotations(annotations)
	return nil
}

// plain turns a typed object into one to apply: without what the API server fills in.
func plain(o runtime.Object) (*unstructured.Unstructured, error) {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "convert an object: %w", err)
	}
	delete(m, "status")
	withoutNulls(m)
	return &unstructured.Unstructured{Object: m}, nil
}

func withoutNulls(m map[string]any) {
	for key, value := range m {
		switch v := value.(type) {
		case nil:
			delete(m, key)
		case map[string]any:
			withoutNulls(v)
		case []any:
			for _, one := range v {
				if o, ok := one.(map[string]any); ok {
					withoutNulls(o)
				}
			}
		}
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
