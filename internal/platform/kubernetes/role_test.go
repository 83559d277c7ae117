package kubernetes_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/internal/sealed"
	"github.com/fairwayhq/fairway/test/cluster"
)

// worker is how the API server calls the account that docs/kubernetes-role.yaml is for.
const worker = "system:serviceaccount:fairway:fairway-worker"

// role is the manifest of the guide, for another namespace, with the rule for Secrets.
func (p *place) role() string {
	p.t.Helper()
	raw, err := os.ReadFile("../../../docs/kubernetes-role.yaml")
	if err != nil {
		p.t.Fatal(err)
	}
	const commented = "#- apiGroups: [\"\"]\n#  resources: [secrets]\n#  verbs: [get, create, patch]\n"
	if !strings.Contains(string(raw), commented) {
		p.t.Fatal("the role has no commented rule for Secrets")
	}
	text := strings.Replace(string(raw), commented, secretsRule, 1)
	for i := 0; i < len(p.roles); i += 2 {
		if strings.Count(text, p.roles[i]) != 1 {
			p.t.Fatalf("the role has not once %q", p.roles[i])
		}
		text = strings.Replace(text, p.roles[i], p.roles[i+1], 1)
	}
	return strings.ReplaceAll(text, "namespace: shop", "namespace: "+p.namespace)
}

// secretsRule is the rule that only who releases Secrets gives.
const secretsRule = "- apiGroups: [\"\"]\n  resources: [secrets]\n  verbs: [get, create, patch]\n"

// asWorker opens the place with the worker's account, once its role is in force: the API
// server reads roles a moment after they are written.
func (p *place) asWorker() *kubernetes.Clusters {
	p.t.Helper()
	group, resource, _ := p.anchor()
	review := fmt.Sprintf(`{"spec": {"user": %q, "resourceAttributes": {"namespace": %q, "verb": "watch", "group": %q, "resource": %q}}}`, worker, p.namespace, group, resource)
	p.eventually("the role is in force", func() error {
		var answer struct{ Status struct{ Allowed bool } }
		err := p.API.Do(p.t.Context(), http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", "application/json", []byte(review), &answer)
		if err == nil && !answer.Status.Allowed {
			return errors.New("it is not")
		}
		return err
	})
	config, err := p.KubeconfigFor(worker)
	if err != nil {
		p.t.Fatal(err)
	}
	c := kubernetes.New(kubernetes.Config{Kubeconfig: config, UserAgent: "fairway-test", Keys: sealed.Keys{workerKey}})
	p.t.Cleanup(c.Close)
	return c
}

// A ServiceMonitor as the API server keeps it, without the operator behind it.
const monitors = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: ServiceMonitor, plural: servicemonitors, singular: servicemonitor, listKind: ServiceMonitorList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

const monitor = `
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: hello, namespace: {{.Namespace}}}
spec: {selector: {matchLabels: {app: hello}}, endpoints: [{port: web}]}
`

// What a release may bring beside its Deployment, of kinds that pods need.
const needed = `
apiVersion: v1
kind: ConfigMap
metadata: {name: hello}
data: {greeting: hello}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: hello}
`

// Lines for the Deployment: a Secret that nobody has made.
const mountedSecret = `        volumeMounts: [{name: db, mountPath: /db}]
      volumes: [{name: db, secret: {secretName: db}}]`

// What a release may bring that is new, of kinds that a canary has none of where pods split
// the traffic.
const another = `
apiVersion: v1
kind: Service
metadata: {name: admin}
spec: {selector: {app: hello}, ports: [{port: 81, targetPort: 8080}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: admin}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: admin}, maxReplicas: 5}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: admin}
spec: {selector: {matchLabels: {app: admin}}, endpoints: [{port: web}]}
`

// Each way to split the traffic has the role that the guide has for it.
func TestTheRoleOfTheGuideIsEnoughAndNoMoreThanThat(t *testing.T) {
	r := newRig(t)
	for _, way := range []struct {
		name  string
		fresh func(*testing.T) *place
		said  map[string]string // in which file of docs
		roles []string
	}{
		{name: "an HTTPRoute", fresh: r.newPlace},
		{
			name: "a GRPCRoute", fresh: r.newPlaceByGRPC,
			said:  map[string]string{"kubernetes-role.yaml": "where the routes are GRPCRoutes, the resource;"},
			roles: []string{"resources: [httproutes]", "resources: [grpcroutes]"},
		},
		{
			name: "pods", fresh: r.newPlaceByPods,
			said: map[string]string{
				"kubernetes-role.yaml": "With `split: pods` there is no route: leave its rule and the one for endpointslices out, and add patch to the verbs for pods, watch and update to those for services.",
				"kubernetes.md":        "needs no right to routes and endpointslices, but `patch` for pods, and `watch` and `update` for services.",
			},
			roles: []string{
				"- apiGroups: [gateway.networking.k8s.io]\n  resources: [httproutes]\n  verbs: [list, watch, update]\n", "",
				"- apiGroups: [discovery.k8s.io]\n  resources: [endpointslices]\n  verbs: [list]\n", "",
				"  resources: [pods]\n  verbs: [list, watch]\n", "  resources: [pods]\n  verbs: [list, watch, patch]\n",
				"  resources: [services]\n  verbs: [get, list, create, patch]\n", "  resources: [services]\n  verbs: [get, list, create, patch, watch, update]\n",
			},
		},
	} {
		t.Run(way.name, func(t *testing.T) {
			for file, sentence := range way.said {
				isSaid(t, file, sentence)
			}
			p := way.fresh(t)
			p.roles = way.roles
			p.apply(monitors)
			p.eventually("monitors are known", func() error { return p.API.Get(t.Context(), "/apis/monitoring.coreos.com/v1/servicemonitors", nil) })
			underItsRole(t, p)
		})
	}
}

// isSaid expects a sentence in a file of the guide, however its lines break.
func isSaid(t *testing.T, file, sentence string) {
	t.Helper()
	raw, err := os.ReadFile("../../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(strings.ReplaceAll(string(raw), "\n# ", "\n")), " ")
	if !strings.Contains(text, sentence) {
		t.Errorf("docs/%s does not say: %s", file, sentence)
	}
}

// underItsRole goes the whole way of a release under the role of the guide, and of one that
// fails. What the role gives is enough for it, and all of it is used.
func underItsRole(t *testing.T, p *place) {
	p.apply(deployment + "---" + beside + "---" + monitor)
	p.apply(p.role())
	began := time.Now()
	clusters := p.asWorker()
	b := &bench{place: p, Platform: p.open(t, clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	home := b.until("the Deployment is adopted with two ready pods", func(s platform.State) bool {
		r, _ := s.Revision(s.Home)
		return r.Ready() == 2
	})
	before := b.annotations()

	fails := p.revision("r-fails0000000", map[string]string{"HELLO_EXIT": "no disk"})
	fails.Settings = p.with(deployment, needed, mountedSecret)
	b.must(b.Place(t.Context(), b.lease, target, fails, platform.Capacity{Instances: 1}))
	b.until("a Secret is missed", func(s platform.State) bool { return strings.Contains(failure(s, fails.ID), `secret "db" not found`) })
	b.must(b.Retire(t.Context(), b.lease, target, fails.ID))

	crashes := p.revision("r-crashes00000", map[string]string{"HELLO_EXIT": "no disk"})
	b.must(b.Place(t.Context(), b.lease, target, crashes, platform.Capacity{Instances: 1}))
	b.until("a log is read", func(s platform.State) bool { return strings.Contains(failure(s, crashes.ID), "no disk") })
	b.must(b.Retire(t.Context(), b.lease, target, crashes.ID))

	v2 := platform.Revision{ID: "r-222222222222", Version: "v2", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: p.with(deployment, needed, "      serviceAccountName: hello")}
	b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 2}))
	b.until("the canary's pods are ready", func(s platform.State) bool {
		r, _ := s.Revision(v2.ID)
		return r.Ready() == 2
	})
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{home.Home: 500_000, v2.ID: 500_000}))
	b.settle(home.Home, v2.ID)
	former, _ := home.Revision(home.Home)
	b.must(b.Place(t.Context(), b.lease, target, former.Revision, platform.Capacity{Instances: 2}))
	b.until("the older revision is ready again", func(s platform.State) bool {
		r, _ := s.Revision(home.Home)
		return r.Ready() == 2
	})
	b.settle(v2.ID, home.Home)
	b.kinds("after all", nil)
	b.leave(before)

	b.compared(former.Revision)
	value := p.withSecret("r-333333333333", "hunter2", workerKey.SealingKey())
	b.must(b.Place(t.Context(), b.lease, target, value, platform.Capacity{Instances: 1}))
	_, err := b.Compare(t.Context(), target, value)
	b.must(err)
	b.must(b.Retire(t.Context(), b.lease, target, value.ID))

	elsewhere := p.settingsOf(func(s *kubernetes.Settings) {
		if p.byPods {
			s.Service = "nowhere"
		} else {
			s.Route.Name = "nowhere"
		}
	})
	lost, err := clusters.Open(elsewhere)
	b.must(err)
	if _, err := lost.Observe(t.Context(), target); err == nil || !strings.Contains(err.Error(), "there is no ") || !strings.Contains(err.Error(), " nowhere in the namespace") {
		t.Errorf("what is not there is told as: %v", err)
	}
	clusters.Close() // watches are written down when they end
	p.used(began)
}

const service = `
apiVersion: v1
kind: Service
metadata: {name: hello, namespace: {{.Namespace}}}
spec: {selector: {app: hello}, ports: [{port: 80, targetPort: 8080}]}
`

// compared asks what `fairway plan` and `fairway drift` ask, of all kinds that a release may have.
func (b *bench) compared(home platform.Revision) {
	b.t.Helper()
	others := []string{needed, beside, monitor, service}
	if b.byPods {
		others = append(others, another)
	}
	home.Settings = b.with(deployment, strings.Join(others, "---\n"), "")
	_, err := b.Platform.(platform.Previewer).Preview(b.t.Context(), target, home)
	b.must(err)
	_, err = b.Platform.(platform.Comparer).Compare(b.t.Context(), target, home)
	b.must(err)
}

// used compares what the worker asked with what its role gives.
func (p *place) used(began time.Time) {
	p.t.Helper()
	granted := p.granted()
	p.eventually("all rights were used", func() error {
		requests, err := p.Requests(worker, began, time.Now())
		if err != nil {
			return err
		}
		var used []string
		for _, r := range requests {
			if r.Status == 403 {
				p.t.Errorf("the role does not allow: %s %s", r.Verb, r.URI)
			}
			used = append(used, rightsOf(r)...)
		}
		needless := slices.DeleteFunc(slices.Clone(granted), func(g string) bool { return slices.Contains(used, g) })
		if len(needless) > 0 {
			return fmt.Errorf("nobody ever needed to %s", strings.Join(needless, ", "))
		}
		return nil
	})
}

// granted are the rights in the role: "patch apps/deployments".
func (p *place) granted() []string {
	p.t.Helper()
	var role rbacv1.Role
	text, _, _ := strings.Cut(p.role(), "\n---\n")
	if err := yaml.UnmarshalStrict([]byte(text), &role); err != nil {
		p.t.Fatal(err)
	}
	var all []string
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all = append(all, verb+" "+group+"/"+resource)
				}
			}
		}
	}
	if len(all) < 20 {
		p.t.Fatalf("the role gives %v", all)
	}
	return all
}

// rightsOf are those that a request needs. To apply what is not there needs two, and so does
// a watch that begins with all there is: an API server that cannot do that is asked for a
// list first.
func rightsOf(r cluster.Request) []string {
	at, err := url.Parse(r.URI)
	if err != nil {
		return nil
	}
	parts := strings.Split(strings.Trim(at.Path, "/"), "/")
	group, rest := "", parts[min(2, len(parts)):]
	if parts[0] == "apis" {
		group, rest = parts[1], parts[min(3, len(parts)):]
	}
	if len(rest) > 2 && rest[0] == "namespaces" {
		rest = rest[2:]
	}
	if len(rest) == 0 {
		return nil
	}
	resource := group + "/" + rest[0]
	if len(rest) == 3 {
		resource += "/" + rest[2]
	}
	if r.Verb == "patch" && r.Status == 201 {
		return []string{"patch " + resource, "create " + resource}
	}
	if at.Query().Get("sendInitialEvents") == "true" {
		return []string{"watch " + resource, "list " + resource}
	}
	return []string{r.Verb + " " + resource}
}

// annotations are those of the home.
func (b *bench) annotations() map[string]string {
	b.t.Helper()
	var now home
	b.get("/apis/apps/v1/namespaces/"+b.namespace+"/deployments/hello", &now)
	return now.Metadata.Annotations
}

// leave does what the guide says to take Fairway's last traces away, and expects that no pod
// is started anew for it.
func (b *bench) leave(before map[string]string) {
	b.t.Helper()
	guide, err := os.ReadFile("../../../docs/kubernetes.md")
	b.must(err)
	var is home
	var was, now struct{ Spec json.RawMessage }
	path := "/apis/apps/v1/namespaces/" + b.namespace + "/deployments/hello"
	b.get(path, &was)
	_, _, anchor := b.anchor()
	const route, homes = "annotate httproute shop ", "annotate deployment shop "
	for line := range strings.Lines(string(guide)) {
		for at, of := range map[string]string{route: anchor, homes: path} {
			if _, names, ok := strings.Cut(strings.TrimSpace(line), at); ok {
				b.unannotate(of, strings.Fields(names))
			}
		}
	}
	b.get(path, &is)
	b.get(path, &now)
	delete(before, "deployment.kubernetes.io/revision") // the Deployment's own count
	delete(is.Metadata.Annotations, "deployment.kubernetes.io/revision")
	if got, want := string(asJSON(b.t, is.Metadata.Annotations)), string(asJSON(b.t, before)); got != want {
		b.t.Errorf("after leaving the home has the annotations %s, and had %s", got, want)
	}
	if string(now.Spec) != string(was.Spec) {
		b.t.Errorf("to leave has made %s of %s", now.Spec, was.Spec)
	}
	var left struct {
		Metadata struct{ Annotations map[string]string }
	}
	b.get(anchor, &left)
	for name := range left.Metadata.Annotations {
		if strings.Contains(name, "fairway.dev") {
			b.t.Errorf("after leaving what splits the traffic has the annotation %s", name)
		}
	}
}

// unannotate removes annotations as `kubectl annotate … NAME-` does.
func (b *bench) unannotate(path string, names []string) {
	b.t.Helper()
	nothing := map[string]any{}
	for _, n := range names {
		nothing[strings.TrimSuffix(n, "-")] = nil
	}
	body := asJSON(b.t, map[string]any{"metadata": map[string]any{"annotations": nothing}})
	b.must(b.API.Do(b.t.Context(), "PATCH", path, "application/merge-patch+json", body, nil))
}

// with are settings with these manifests; pods are more lines of the pods' spec.
func (p *place) with(deployment, others, pods string) []byte {
	return p.settingsOf(func(s *kubernetes.Settings) {
		for _, text := range append([]string{p.fill(deployment) + pods}, strings.Split(p.fill(others), "---\n")...) {
			object, err := yaml.YAMLToJSON([]byte(text))
			if err != nil {
				p.t.Fatal(err)
			}
			s.Objects = append(s.Objects, object)
		}
	})
}

func (p *place) settingsOf(change func(*kubernetes.Settings)) []byte {
	p.t.Helper()
	var s kubernetes.Settings
	if err := json.Unmarshal(p.settings(false), &s); err != nil {
		p.t.Fatal(err)
	}
	change(&s)
	return asJSON(p.t, s)
}

// failure is what the revision's instances say of why they failed.
func failure(s platform.State, revision string) string {
	r, _ := s.Revision(revision)
	for _, i := range r.Instances {
		if i.Failed {
			return i.Message
		}
	}
	return ""
}

// eventually tries something until it succeeds.
func (p *place) eventually(what string, try func() error) {
	p.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) || process.Wait(p.t.Context(), 100*time.Millisecond) != nil {
			p.t.Fatalf("it does not come to it that %s: %v", what, err)
		}
	}
}
