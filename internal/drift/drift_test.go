package drift_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/drift"
)

func TestWhatTheAPIServerFillsInIsNoDrift(t *testing.T) {
	got := drift.Compare(desiredObjects(t), liveObjects(t), drift.Options{Namespace: "default", Extra: true})
	if len(got) > 0 {
		t.Errorf("untouched objects drift:\n%s", drift.Text(got, "desired", "live"))
	}
}

// Each edit by hand of a live object is exactly one difference.
func TestAnEditByHandIsOneDifference(t *testing.T) {
	const (
		deployment, service, hpa, configMap, secret, pdb, policy, route = 0, 1, 2, 3, 4, 5, 6, 7
		pod                                                             = "spec.template.spec."
		app                                                             = pod + "containers[app]."
	)
	type object = map[string]any
	type list = []any
	for name, tc := range map[string]struct {
		object        int
		edit          func(live object)
		path          string
		desired, live any
	}{
		"another image":       {deployment, set("spec template spec containers 0 image", "x:y"), app + "image", "registry.example.com/shop:v1", "x:y"},
		"an image of an init": {deployment, set("spec template spec initContainers 0 image", "x:y"), pod + "initContainers[migrate].image", "registry.example.com/shop:v1", "x:y"},
		"another quantity":    {deployment, set("spec template spec containers 0 resources limits cpu", "1501m"), app + "resources.limits.cpu", 1.5, "1501m"},
		"a limit is gone":     {deployment, unset("spec template spec containers 0 resources limits memory"), app + "resources.limits.memory", "1Gi", nil},
		"a number":            {deployment, set("spec replicas", 3.0), "spec.replicas", 2.0, 3.0},
		"a share":             {deployment, set("spec strategy rollingUpdate maxSurge", "50%"), "spec.strategy.rollingUpdate.maxSurge", "25%", "50%"},
		"an argument more":    {deployment, set("spec template spec containers 0 args", list{"serve", "--port=8080", "-v"}), app + "args[2]", nil, "-v"},
		"an argument less":    {deployment, set("spec template spec containers 0 args", list{"serve"}), app + "args[1]", "--port=8080", nil},
		"no arguments":        {deployment, unset("spec template spec containers 0 args"), app + "args", list{"serve", "--port=8080"}, nil},
		"a variable":          {deployment, set("spec template spec containers 0 env 0 value", "debug"), app + "env[LOG].value", "info", "debug"},
		"variables are reordered, and one is gone": {deployment, func(live object) {
			at(live, "spec template spec containers 0")["env"] = list{
				at(live, "spec template spec containers 0 env 3"), at(live, "spec template spec containers 0 env 2"), at(live, "spec template spec containers 0 env 0"),
			}
		}, app + "env[EMPTY]", object{"name": "EMPTY", "value": ""}, nil},
		"another port": {deployment, set("spec template spec containers 0 ports 1 containerPort", 9090.0), app + "ports[8080/UDP]",
			object{"containerPort": 8080.0, "protocol": "UDP", "name": "http3"}, nil},
		"a mount can be written": {deployment, unset("spec template spec containers 0 volumeMounts 1 readOnly"), app + "volumeMounts[/etc/shop].readOnly", true, nil},
		"a volume of another kind": {deployment, func(live object) {
			v := at(live, "spec template spec volumes 1")
			delete(v, "emptyDir")
			v["hostPath"] = object{"path": "/"}
		}, pod + "volumes[scratch].emptyDir", object{}, nil},
		"a token is mounted":          {deployment, unset("spec template spec automountServiceAccountToken"), pod + "automountServiceAccountToken", false, nil},
		"on the host's network":       {deployment, set("spec template spec hostNetwork", true), pod + "hostNetwork", false, true},
		"tolerations":                 {deployment, set("spec template spec tolerations", list{object{"operator": "Exists"}}), pod + "tolerations[0]", nil, object{"operator": "Exists"}},
		"an annotation":               {deployment, set("spec template metadata annotations example.com/port", "8081"), "spec.template.metadata.annotations[example.com/port]", "8080", "8081"},
		"an empty annotation is gone": {deployment, unset("spec template metadata annotations example.com/empty"), "spec.template.metadata.annotations[example.com/empty]", "", nil},
		"a label":                     {deployment, set("metadata labels app.kubernetes.io/name", "x"), "metadata.labels[app.kubernetes.io/name]", "shop", "x"},
		"a container is gone": {deployment, func(live object) {
			at(live, "spec template spec")["containers"] = list{at(live, "spec template spec containers 0")}
		},
			pod + "containers[proxy]", object{"name": "proxy", "image": "envoy:v1"}, nil},

		"a service's port":                  {service, set("spec ports 1 targetPort", "x"), "spec.ports[80/UDP].targetPort", "http3", "x"},
		"a service's selector":              {service, set("spec selector app", "x"), "spec.selector.app", "shop", "x"},
		"an autoscaler's aim":               {hpa, set("spec metrics 1 pods target averageValue", "2"), "spec.metrics[1].pods.target.averageValue", "1000m", "2"},
		"a text that looks like a quantity": {configMap, set("data limits", "1"), "data.limits", "1000m", "1"},
		"a text that is empty":              {configMap, unset("data empty"), "data.empty", "", nil},
		"a secret":                          {secret, set("data password", "eA=="), "data.password", drift.Hidden, drift.Hidden},
		"a secret is gone":                  {secret, unset("data tls.key"), "data[tls.key]", drift.Hidden, nil},
		"all secrets are gone":              {secret, unset("data"), "data", drift.Hidden, nil},
		"a budget":                          {pdb, set("spec minAvailable", "1%"), "spec.minAvailable", 1.0, "1%"},
		"an open policy":                    {policy, set("spec egress", list{object{}}), "spec.egress[0]", nil, object{}},
		"a selector of a policy":            {policy, set("spec ingress 0 from 0", object{"ipBlock": object{"cidr": "0.0.0.0/0"}}), "spec.ingress[0].from[0].podSelector", object{}, nil},
		"a weight's service":                {route, set("spec rules 0 backendRefs 0 name", "x"), "spec.rules[0].backendRefs[0].name", "shop", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			desired, live := desiredObjects(t), liveObjects(t)
			tc.edit(live[tc.object])
			got := drift.Compare(desired, live, drift.Options{Namespace: "default"})
			if len(got) != 1 {
				t.Fatalf("there are %d differences:\n%s", len(got), drift.Text(got, "desired", "live"))
			}
			got[0].Object = drift.Identity{}
			want := drift.Difference{What: drift.Changed, Path: tc.path, Desired: tc.desired, Live: tc.live}
			if diff := cmp.Diff(want, got[0]); diff != "" {
				t.Errorf("the difference (-want +got):\n%s", diff)
			}
		})
	}
}

// at follows names and numbers, separated by spaces.
func at(o map[string]any, where string) map[string]any {
	var here any = o
	for _, name := range strings.Fields(where) {
		switch box := here.(type) {
		case map[string]any:
			here = box[name]
		case []any:
			here = box[name[0]-'0']
		}
	}
	return here.(map[string]any)
}

func set(where string, value any) func(map[string]any) {
	return func(o map[string]any) {
		cut := strings.LastIndexByte(where, ' ')
		last := where[cut+1:]
		if cut < 0 {
			o[last] = value
			return
		}
		var here any = o
		for _, name := range strings.Fields(where[:cut]) {
			if list, ok := here.([]any); ok {
				here = list[name[0]-'0']
			} else {
				here = here.(map[string]any)[name]
			}
		}
		if list, ok := here.([]any); ok {
			list[last[0]-'0'] = value
			return
		}
		here.(map[string]any)[last] = value
	}
}

func unset(where string) func(map[string]any) {
	return func(o map[string]any) {
		cut := max(strings.LastIndexByte(where, ' '), 0)
		delete(at(o, where[:cut]), strings.TrimSpace(where[cut:]))
	}
}

func TestWhatBelongsToOthersIsIgnored(t *testing.T) {
	live := liveObjects(t)
	set("spec replicas", 7.0)(live[0])
	set("spec rules 0 backendRefs", []any{
		map[string]any{"name": "shop", "port": 80.0, "weight": 90.0},
		map[string]any{"name": "shop-4f2a", "port": 80.0, "weight": 10.0},
	})(live[7])
	got := drift.Compare(desiredObjects(t), live, drift.Options{
		Namespace: "default",
		Ignore:    append(drift.Autoscaled(live), drift.Ignore{Kind: "HTTPRoute", Path: "spec.rules[*].backendRefs"}),
	})
	if len(got) > 0 {
		t.Errorf("what belongs to others drifts:\n%s", drift.Text(got, "desired", "live"))
	}
	got = drift.Compare(desiredObjects(t), live, drift.Options{Ignore: []drift.Ignore{{Kind: "Deployment", Name: "other", Path: "spec.replicas"}, {Path: "spec.*[*].x"}}})
	if len(got) != 2 || got[0].Path != "spec.replicas" || got[1].Path != "spec.rules[0].backendRefs[1]" {
		t.Errorf("what others ignore is ignored:\n%s", drift.Text(got, "desired", "live"))
	}
}

func TestObjectsAreFoundByTheirNames(t *testing.T) {
	desired := decode(t, `apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: other}
data: {x: "1"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: a}
---
apiVersion: example.com/v1
kind: ConfigMap
metadata: {name: a}`)
	live := decode(t, `apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: other}
data: {x: "2"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: a}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b, namespace: shop}`)
	got := drift.Compare(desired, live, drift.Options{Namespace: "shop", Extra: true})
	want := []drift.Difference{
		{Object: drift.Identity{Kind: "ConfigMap", Namespace: "other", Name: "a"}, What: drift.Changed, Path: "data.x", Desired: "1", Live: "2"},
		{Object: drift.Identity{Kind: "ConfigMap", Namespace: "shop", Name: "b"}, What: drift.Extra},
		{Object: drift.Identity{Group: "example.com", Kind: "ConfigMap", Name: "a"}, What: drift.Missing},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

const staging = `apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: staging}
spec:
  replicas: 1
  template:
    spec:
      hostNetwork: false
      containers:
      - {name: app, image: "shop:v2", env: [{name: A, value: "1"}, {name: B, value: "1"}], resources: {limits: {cpu: 1000m}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: only-here}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: text}
data: {text: "one\ntwo\nthree\n", new: "x\ny"}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {a: hunter22}`

const production = `apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: production}
spec:
  replicas: 3
  paused: false
  template:
    spec:
      containers:
      - {name: app, image: "shop:v1", env: [{name: C, value: ""}, {name: B, value: "1"}], resources: {limits: {cpu: 1}}}
      - {name: proxy, image: "envoy\u001b[31m"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: text}
data: {text: "one\n2\nthree\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {a: aHVudGVyMjM=}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: only-there}`

func TestTwoEnvironmentsAreComparedBothWays(t *testing.T) {
	got := drift.Text(drift.Between(decode(t, staging), decode(t, production), drift.Options{}), "staging", "production")
	want := `--- staging
+++ production

ConfigMap only-here
  is only in staging

ConfigMap only-there
  is only in production

ConfigMap text
  data.new
  - x
  - y
  data.text
  - two
  + 2

Deployment shop
  spec.replicas
  - 1
  + 3
  spec.template.spec.containers[app].env[A]
  - {"name":"A","value":"1"}
  spec.template.spec.containers[app].env[C]
  + {"name":"C","value":""}
  spec.template.spec.containers[app].image
  - shop:v2
  + shop:v1
  spec.template.spec.containers[proxy]
  + {"image":"envoy\u001b[31m","name":"proxy"}

Secret s
  data.a
  - (hidden)
  + (hidden)
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if same := drift.Between(decode(t, staging), decode(t, staging), drift.Options{}); len(same) > 0 || drift.Text(same, "a", "b") != "" {
		t.Errorf("an environment differs from itself:\n%s", drift.Text(same, "a", "b"))
	}
}

func TestADifferenceInJSON(t *testing.T) {
	raw, err := json.Marshal([]drift.Difference{
		{Object: drift.Identity{Group: "apps", Kind: "Deployment", Namespace: "a", Name: "b"}, What: drift.Changed, Path: "spec.paused", Desired: false},
		{Object: drift.Identity{Kind: "Service", Name: "b"}, What: drift.Missing},
	})
	want := `[{"object":{"group":"apps","kind":"Deployment","namespace":"a","name":"b"},"what":"changed","path":"spec.paused","desired":false},` +
		`{"object":{"kind":"Service","name":"b"},"what":"missing"}]`
	if err != nil || string(raw) != want {
		t.Errorf("got %s (%v), want %s", raw, err, want)
	}
}

func TestATerminalIsSafeFromValues(t *testing.T) {
	text := drift.Text([]drift.Difference{{
		Object: drift.Identity{Kind: "A\x1b[2J", Name: "b"}, What: drift.Changed, Path: "data.\x1b",
		Desired: "\x1b[31m" + strings.Repeat("x", 1000), Live: "a\n\x1b]0;x\a" + strings.Repeat("\nx", 100),
	}}, "Git", "the cluster")
	if strings.ContainsAny(text, "\x1b\a") || len(text) > 1000 {
		t.Errorf("it shows %q", text)
	}
}

// People also write down what they have read from a cluster.
func TestWhatOnlyAClusterWritesIsNeverDesired(t *testing.T) {
	read, live := liveObjects(t), liveObjects(t)
	for _, o := range read {
		for _, name := range []string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"} {
			set("metadata "+name, "of another cluster")(o)
		}
		set("metadata annotations", map[string]any{"kubectl.kubernetes.io/last-applied-configuration": "{}"})(o)
		set("status", map[string]any{"replicas": 9.0})(o)
	}
	if got := drift.Compare(read, live, drift.Options{}); len(got) > 0 {
		t.Errorf("it drifts:\n%s", drift.Text(got, "desired", "live"))
	}
}
