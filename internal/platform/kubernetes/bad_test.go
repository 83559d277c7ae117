package kubernetes_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
	"github.com/fairwayhq/fairway/test/cluster"
)

const badID = "r-bad000000000"

// What a release may bring that is wrong, and what it may find: each is told clearly, no
// traffic moves, and nothing is left behind.
func TestWhatIsWrongIsToldAndLeavesNothing(t *testing.T) {
	rig := newRig(t)
	rig.releasers(t)
	answer := rig.registry(t)
	image := func(name string) func(b *bench) platform.Revision {
		return func(b *bench) platform.Revision {
			r := b.revision(badID, nil)
			r.Artifact.Ref = registryAddress + "/" + name
			return r
		}
	}
	env := func(pairs ...string) func(b *bench) platform.Revision {
		return func(b *bench) platform.Revision { return b.revision(badID, map[string]string{pairs[0]: pairs[1]}) }
	}
	pods := func(lines string) func(b *bench) platform.Revision {
		return func(b *bench) platform.Revision {
			r := b.revision(badID, nil)
			r.Settings = b.with(deployment, needed, lines)
			return r
		}
	}

	for name, c := range map[string]struct {
		revision func(b *bench) platform.Revision
		says     []string
	}{
		"an image that is not there":        {image("missing:v1"), []string{"127.0.0.1:5000/missing:v1", "cannot be pulled", "not found"}},
		"a name that is none of an image's": {image("Not An Image"), []string{"InvalidImageName"}},
		"a Secret that is gone":             {pods("        env: [{name: DB, valueFrom: {secretKeyRef: {name: db, key: password}}}]"), []string{"CreateContainerConfigError", `secret "db" not found`}},
		"a mounted Secret that is gone":     {pods(mountedSecret), []string{`secret "db" not found`}},
		"a container that ends":             {env("HELLO_EXIT", "no disk"), []string{"exit code 3", "its log ends: hello: cannot start: no disk"}},
		"a container that eats all memory":  {eater, []string{"container hello: it was out of memory and killed"}},
		"a pod that never gets ready":       {env("HELLO_READY", "never"), []string{"not ready after 30s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := rig.bench(t)
			b.must(b.Place(t.Context(), b.lease, target, c.revision(b), platform.Capacity{Instances: 1}))
			s := b.until("it has failed", func(s platform.State) bool { return failure(s, badID) != "" })
			for _, want := range c.says {
				if text := failure(s, badID); !strings.Contains(text, want) {
					t.Errorf("it says %q, without %q", text, want)
				}
			}
			b.nothingLeft()
		})
	}

	t.Run("a registry that is busy is asked again", func(t *testing.T) {
		t.Parallel()
		b := rig.bench(t)
		b.openedFor(b.clusters, 5*time.Minute) // a node asks again after ten, twenty and forty seconds
		r := image("busy:v1")(b)
		b.must(b.Place(t.Context(), b.lease, target, r, platform.Capacity{Instances: 1}))
		for _, status := range []string{"429", "500"} {
			b.until("its pull was answered "+status, func(s platform.State) bool {
				if text := failure(s, badID); text != "" {
					t.Fatalf("a registry that answers %s fails it: %s", status, text)
				}
				placed, _ := s.Revision(badID)
				return strings.Contains(placed.Awaits, status+" ")
			})
			answer(t, map[string]int{"429": http.StatusInternalServerError, "500": http.StatusNotFound}[status])
		}
		b.until("it is not there", func(s platform.State) bool { return strings.Contains(failure(s, badID), "not found") })
		b.nothingLeft()
	})

	t.Run("a quota without room for it", func(t *testing.T) {
		t.Parallel()
		b := rig.bench(t)
		b.until("the home has its pods", func(s platform.State) bool {
			home, _ := s.Revision(s.Home)
			return home.Ready() == 2
		})
		b.apply(`
apiVersion: v1
kind: ResourceQuota
metadata: {name: small, namespace: {{.Namespace}}}
spec: {hard: {pods: "3"}}
`)
		b.eventually("the quota counts", func() error {
			var q struct {
				Status struct{ Used map[string]string }
			}
			err := b.API.Get(t.Context(), "/api/v1/namespaces/"+b.namespace+"/resourcequotas/small", &q)
			if err == nil && q.Status.Used["pods"] != "2" {
				err = errors.New("it has not counted the pods")
			}
			return err
		})
		b.must(b.Place(t.Context(), b.lease, target, b.revision(badID, nil), platform.Capacity{Instances: 2}))
		s := b.until("it is told", func(s platform.State) bool {
			r, _ := s.Revision(badID)
			return strings.Contains(r.Awaits, "exceeded quota: small")
		})
		if text := failure(s, badID); text != "" {
			t.Errorf("it does not hold: %s", text)
		}
		b.nothingLeft()
	})

	refused(t, rig)
}

// eater is a version that takes more memory than it may have.
func eater(b *bench) platform.Revision {
	r := b.revision(badID, map[string]string{"HELLO_EAT": "256"})
	r.Settings = b.with(deployment, needed, "        resources: {limits: {memory: 24Mi}}")
	return r
}

// refused are what Place refuses, or even Observe.
func refused(t *testing.T, rig *rig) {
	good := func(b *bench) platform.Revision { return b.revision(badID, nil) }
	for name, c := range map[string]struct {
		before   string
		worker   func(role string) string // nil is an administrator
		revision func(b *bench) platform.Revision
		code     fault.Code
		says     []string
	}{
		"a manifest that the API server refuses": {
			revision: func(b *bench) platform.Revision {
				r := good(b)
				r.Settings = b.with(deployment, needed, "        resources: {limits: {memory: -1Gi}}")
				return r
			},
			code: fault.Invalid, says: []string{"try to write Deployment hello: ", "must be greater than or equal to 0"},
		},
		"a quantity that is none": {
			revision: func(b *bench) platform.Revision {
				r := good(b)
				r.Settings = b.with(deployment, needed, "        resources: {limits: {memory: plenty}}")
				return r
			},
			code: fault.Invalid, says: []string{"read the manifests of the release", "quantities must match"},
		},
		"a Deployment that Flagger releases": {
			before: flagger, revision: good, code: fault.Invalid,
			says: []string{"the Flagger Canary web releases the Deployment hello; delete the Flagger Canary"},
		},
		"a Deployment that Argo Rollouts releases": {
			before: `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: {{.Namespace}}}
spec: {workloadRef: {kind: Deployment, name: hello}}
`, revision: good, code: fault.Invalid, says: []string{"the Argo Rollout web releases the Deployment hello"},
		},
		"a route to something else": {
			before: `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: hello, namespace: {{.Namespace}}}
spec:
  parentRefs: [{name: fairway, namespace: default}]
  hostnames: [{{.Namespace}}.test]
  rules:
  - backendRefs: [{name: hello, port: 80, weight: 3}, {name: legacy, port: 80, weight: 1}]
`, revision: good, code: fault.Invalid, says: []string{"a rule of the HTTPRoute hello leads to the Service legacy beside hello"},
		},
		"a missing right to take it away": {
			worker:   func(role string) string { return strings.Replace(role, "create, patch, delete]", "create, patch]", 1) },
			revision: good, code: fault.Denied, says: []string{"the worker's account may not delete deployments.apps in the namespace place-"},
		},
		"Secrets sealed for another worker": {
			revision: withOthersKey, code: fault.Invalid,
			says: []string{"open the Secrets of revision " + badID, "and the worker has the opening key " + workerKey.ID()},
		},
		"values that are not those of the plan": {
			revision: swapped, code: fault.Invalid,
			says: []string{"the value of HELLO_VERSION that came for Secret ", "is not the one that the plan was made with"},
		},
		"a value in a message of the cluster's rules": {
			before: repeating, revision: func(b *bench) platform.Revision { return b.withSecret(badID, "hunter2", workerKey.SealingKey()) },
			code: fault.Invalid, says: []string{"try to write Secret hello-db", "it has [secret HELLO_VERSION]"},
		},
		"a missing right to write Secrets": {
			worker:   func(role string) string { return strings.Replace(role, secretsRule, "", 1) },
			revision: func(b *bench) platform.Revision { return b.withSecret(badID, "hunter2", workerKey.SealingKey()) },
			code:     fault.Denied, says: []string{"the worker's account may not create secrets, patch secrets in the namespace place-"},
		},
		"a missing right to look for an account": {
			worker: func(role string) string {
				return strings.Replace(role, "serviceaccounts]\n  verbs: [get, ", "serviceaccounts]\n  verbs: [", 1)
			},
			revision: func(b *bench) platform.Revision {
				r := good(b)
				r.Settings = b.with(deployment, needed, "")
				return r
			},
			code: fault.Denied, says: []string{"the worker's account may not get serviceaccounts in the namespace place-"},
		},
		"a missing right to see pods": {
			worker:   func(role string) string { return strings.Replace(role, "resources: [pods]", "resources: [nodes]", 1) },
			revision: good, code: fault.Denied, says: []string{` resource "pods" in API group "" in the namespace "place-`, "; docs/kubernetes-role.yaml is the role"},
		},
		"a name that the API server refuses": {
			revision: func(b *bench) platform.Revision {
				r := good(b)
				r.Settings = b.with(deployment, strings.Replace(needed, "name: hello", "name: hello_world", 1), "")
				return r
			},
			code: fault.Invalid, says: []string{"try to write ConfigMap hello_world", "a lowercase RFC 1123 subdomain"},
		},
		"a PodDisruptionBudget that is only written in the end": {
			revision: func(b *bench) platform.Revision {
				r := good(b)
				r.Settings = b.with(deployment, refusedBudget, "")
				return r
			},
			code: fault.Invalid, says: []string{"try to write PodDisruptionBudget hello", "minAvailable"},
		},
		"a kind that the cluster does not know": {
			revision: func(b *bench) platform.Revision {
				r := good(b)
				r.Settings = b.with(deployment, monitor, "")
				return r
			},
			code: fault.Invalid, says: []string{"the cluster does not know what a ServiceMonitor is"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := rig.bench(t)
			if c.before != "" {
				b.apply(c.before)
				b.refs = b.backendRefs()
			}
			if strings.Contains(c.before, "ValidatingAdmissionPolicy") {
				b.eventually("the policy is in force", func() error {
					secret := `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hello-db"}, "stringData": {"HELLO_VERSION": "any"}}`
					if b.API.Do(t.Context(), http.MethodPost, "/api/v1/namespaces/"+b.namespace+"/secrets?dryRun=All", "application/json", []byte(secret), nil) == nil {
						return errors.New("it admits a Secret")
					}
					return nil
				})
			}
			if c.worker != nil {
				b.apply(c.worker(b.role()))
				b.opened(b.asWorker())
			}
			err := b.Place(t.Context(), b.lease, target, c.revision(b), platform.Capacity{Instances: 1})
			if fault.CodeOf(err) != c.code {
				t.Errorf("it is %s: %v", fault.CodeOf(err), err)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "swordfish")) {
				t.Errorf("it shows a value: %v", err)
			}
			for _, want := range c.says {
				if told := fault.MessageWithHint(err); !strings.Contains(told, want) {
					t.Errorf("it says %q, without %q", told, want)
				}
			}
			b.opened(b.clusters)
			b.nothingLeft()
		})
	}
	t.Run("a Deployment that Flagger releases since the last release", func(t *testing.T) {
		t.Parallel()
		b := rig.bench(t)
		b.must(b.Place(t.Context(), b.lease, target, good(b), platform.Capacity{Instances: 1}))
		b.nothingLeft()
		b.apply(flagger)
		err := b.Place(t.Context(), b.lease, target, good(b), platform.Capacity{Instances: 1})
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "the Flagger Canary web releases the Deployment hello") {
			t.Errorf("it is told as: %v", err)
		}
		b.nothingLeft()
	})
	t.Run("a namespace that is being deleted", func(t *testing.T) { rig.whileItGoes(t, good) })
}

// whileItGoes places in a namespace that something keeps from going.
func (r *rig) whileItGoes(t *testing.T, good func(b *bench) platform.Revision) {
	t.Parallel()
	b := r.bench(t)
	kept := `
apiVersion: v1
kind: ConfigMap
metadata: {name: kept, namespace: {{.Namespace}}, finalizers: [FINALIZERS]}
`
	b.apply(strings.Replace(kept, "FINALIZERS", "fairway.dev/test", 1))
	b.must(b.API.Do(t.Context(), http.MethodDelete, "/api/v1/namespaces/"+b.namespace, "", nil, nil))
	b.eventually("nothing new is taken in", func() error {
		other := `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "other-"}}`
		err := b.API.Do(t.Context(), http.MethodPost, "/api/v1/namespaces/"+b.namespace+"/configmaps", "application/json", []byte(other), nil)
		if err != nil {
			return nil
		}
		return errors.New("it is")
	})
	told := func() error {
		err := b.Place(t.Context(), b.lease, target, good(b), platform.Capacity{Instances: 1})
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "is being deleted") {
			return fmt.Errorf("it is told as: %w", err)
		}
		return nil
	}
	b.must(told())
	b.eventually("the route has gone", func() error {
		if err := b.API.Get(t.Context(), "/apis/gateway.networking.k8s.io/v1/namespaces/"+b.namespace+"/httproutes/hello", nil); err == nil {
			return errors.New("it is there")
		}
		return nil
	})
	b.must(told())
	b.apply(strings.Replace(kept, "FINALIZERS", "", 1))
	b.eventually("it has gone", func() error {
		var status *cluster.StatusError
		if err := b.API.Get(t.Context(), "/api/v1/namespaces/"+b.namespace, nil); !errors.As(err, &status) || status.Code != http.StatusNotFound {
			return errors.Join(errors.New("it is still there"), err)
		}
		return nil
	})
}

// releasers makes the API server keep what Flagger and Argo Rollouts release by, without them.
func (r *rig) releasers(t *testing.T) {
	t.Helper()
	p := &place{rig: r, t: t}
	for path, names := range map[string][2]string{"flagger.app/v1beta1": {"Canary", "canaries"}, "argoproj.io/v1alpha1": {"Rollout", "rollouts"}} {
		group, version, _ := strings.Cut(path, "/")
		p.apply(strings.NewReplacer("monitoring.coreos.com", group, "name: v1", "name: "+version, "ServiceMonitor", names[0],
			"servicemonitors", names[1], "servicemonitor", strings.ToLower(names[0])).Replace(monitors))
		p.eventually(names[1]+" are known", func() error { return r.API.Get(t.Context(), "/apis/"+path+"/"+names[1], nil) })
	}
}

// bench is a place with the team's Deployment.
func (r *rig) bench(t *testing.T) *bench {
	p := r.newPlace(t)
	p.apply(deployment + "---" + beside)
	b := &bench{place: p, lease: platform.Lease{Fence: 1, Holder: "w"}, refs: p.backendRefs()}
	b.opened(p.clusters)
	return b
}

const flagger = `
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: web, namespace: {{.Namespace}}}
spec: {targetRef: {kind: Deployment, name: hello}}
`

// A budget that says two things at once.
const refusedBudget = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: hello, namespace: {{.Namespace}}}
spec: {minAvailable: 1, maxUnavailable: 1, selector: {matchLabels: {app: hello}}}
`

// patience is how long a pod may take to become ready: what is wrong shows long before.
const patience = 30 * time.Second

func (b *bench) opened(c *kubernetes.Clusters) {
	b.t.Helper()
	b.openedFor(c, patience)
}

func (b *bench) openedFor(c *kubernetes.Clusters, patience time.Duration) {
	b.t.Helper()
	p, err := c.Open(b.settingsOf(func(s *kubernetes.Settings) { s.ReadyTimeout = kubernetes.Duration(patience) }))
	b.must(err)
	b.Platform = p
}

// nothingLeft expects that the bad revision gets no traffic and, once it is retired, that
// all is as it was.
func (b *bench) nothingLeft() {
	b.t.Helper()
	s := b.observe()
	err := b.Route(b.t.Context(), b.lease, target, platform.Weights{s.Home: 950_000, badID: 50_000})
	if err == nil {
		b.t.Error("it was given traffic")
	}
	if refs := b.backendRefs(); refs != b.refs {
		b.t.Errorf("before anything was ready the route leads to %s, not to %s", refs, b.refs)
	}
	b.must(b.Retire(b.t.Context(), b.lease, target, badID))
	b.kinds("after it was retired", nil)
	b.eventually("nothing is left", func() error {
		for _, path := range []string{"/apis/apps/v1/namespaces/%s/deployments", "/api/v1/namespaces/%s/configmaps", "/api/v1/namespaces/%s/pods"} {
			var list struct {
				Items []struct {
					Metadata struct {
						Name   string
						Labels map[string]string
					}
				}
			}
			if err := b.API.Get(b.t.Context(), strings.Replace(path, "%s", b.namespace, 1), &list); err != nil {
				return err
			}
			for _, i := range list.Items {
				if i.Metadata.Labels["fairway.dev/home"] != "" || i.Metadata.Labels["fairway.dev/revision"] != "" {
					return errors.New(i.Metadata.Name + " is there")
				}
			}
		}
		return nil
	})
	if refs := b.backendRefs(); refs != b.refs {
		b.t.Errorf("in the end the route leads to %s, not to %s", refs, b.refs)
	}
}
