package kubernetes_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/manifest"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
	"github.com/fairwayhq/fairway/internal/sealed"
)

// workerKey opens what the tests' releases have sealed.
var workerKey = newKey()

func newKey() sealed.OpeningKey {
	key, err := sealed.NewOpeningKey()
	if err != nil {
		panic(err)
	}
	return key
}

const secret = `
apiVersion: v1
kind: Secret
metadata: {name: hello-db, namespace: {{.Namespace}}}
stringData: {HELLO_VERSION: VALUE}
---`

// Lines for the container: it says which version it is by the Secret.
const fromSecret = "        env: [{name: HELLO_VERSION, valueFrom: {secretKeyRef: {name: hello-db, key: HELLO_VERSION}}}]"

// withSecret is a revision as somebody ships it who has the sealing key.
func (p *place) withSecret(id, value string, key sealed.SealingKey) platform.Revision {
	p.t.Helper()
	return p.sealed(id, strings.ReplaceAll(secret, "VALUE", value)+deployment+fromSecret, key)
}

// sealed is a revision of the manifests whose values are sealed with the key.
func (p *place) sealed(id, text string, key sealed.SealingKey) platform.Revision {
	p.t.Helper()
	var objects []manifest.Object
	for one := range strings.SplitSeq(p.fill(text), "---") {
		some, err := manifest.Read("release.yaml", []byte(one))
		if err != nil {
			p.t.Fatal(err)
		}
		objects = append(objects, some...)
	}
	values, err := manifest.ValuesOf(objects)
	if err != nil {
		p.t.Fatal(err)
	}
	if objects, err = manifest.Redact(objects, key.DigestKey()); err != nil {
		p.t.Fatal(err)
	}
	box, err := key.Seal(sealed.Purpose(target.Service, target.Environment), asJSON(p.t, values))
	if err != nil {
		p.t.Fatal(err)
	}
	settings := p.settingsOf(func(s *kubernetes.Settings) {
		for _, o := range objects {
			s.Objects = append(s.Objects, o.Raw)
		}
	})
	return platform.Revision{ID: id, Version: id, Artifact: platform.Artifact{Ref: helloImage}, Settings: settings, Sealed: box}
}

// A release of another value alone: the side has its own, the home keeps the old one until
// it is updated, and a rollback brings it back, early by the traffic and late by a side.
func ownSecrets(t *testing.T, p *place) {
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	key := workerKey.SealingKey()
	first, second := p.withSecret("r-111111111111", "first", key), p.withSecret("r-222222222222", "second", key)
	ready := func(r platform.Revision) {
		t.Helper()
		b.must(b.Place(t.Context(), b.lease, target, r, platform.Capacity{Instances: 2}))
		b.until(r.ID+" is ready", func(s platform.State) bool { state, _ := s.Revision(r.ID); return state.Ready() == 2 })
	}
	ready(first) // which makes the home
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{first.ID: platform.Whole}))
	b.answers("first")

	b.previews("another value", second, `Secret hello-db changed data.HELLO_VERSION: "(hidden)", not "(hidden)"`)
	ready(second)
	b.secrets("beside the home", "first", "second")
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{second.ID: platform.Whole}))
	b.answers("second")
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{first.ID: platform.Whole}))
	b.answers("first")
	b.settle(first.ID, second.ID)
	b.answers("second")
	b.secrets("after it has settled", "second")
	b.drifts("as it was released", second)
	b.drifts("after the value has changed", first, `Secret hello-db changed data.HELLO_VERSION: "(hidden)", not "(hidden)"`)

	// Who may not read Secrets, or has no key, says so and finds no drift in them.
	p.apply(strings.Replace(p.role(), secretsRule, strings.Replace(secretsRule, "get, ", "", 1), 1))
	for says, clusters := range map[string]*kubernetes.Clusters{
		"the worker may not read it": p.asWorker(),
		"has no opening key":         kubernetes.New(kubernetes.Config{Kubeconfig: p.Kubeconfig}),
	} {
		t.Cleanup(clusters.Close)
		found, err := p.open(t, clusters).Compare(t.Context(), target, first)
		b.must(err)
		if len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "hello-db was not compared: ") || !strings.Contains(found.Notes[0], says) || len(found.Differences) != 0 {
			t.Errorf("without that %s: %+v", says, found)
		}
	}

	// A late rollback. What is kept with the home is sealed.
	observed, _ := b.observe().Revision(second.ID)
	if text := string(asJSON(t, observed)); strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("second"))) || !strings.Contains(text, second.Sealed) {
		t.Errorf("what is kept on the home is %s", text)
	}
	ready(first)
	b.secrets("beside the newer one", "second", "first")
	b.settle(second.ID, first.ID)
	b.answers("first")
	b.secrets("in the end", "first")
	b.kinds("in the end", nil)
}

// secrets expects just these values of Secrets in the namespace, the home's first.
func (b *bench) secrets(when string, want ...string) {
	b.t.Helper()
	b.eventually(when+" the Secrets have "+strings.Join(want, ", "), func() error { // the garbage collector takes its time
		var list struct {
			Items []struct {
				Metadata struct{ Name string }
				Data     map[string][]byte
			}
		}
		if err := b.API.Get(b.t.Context(), "/api/v1/namespaces/"+b.namespace+"/secrets", &list); err != nil {
			return err
		}
		var home, sides []string
		for _, s := range list.Items {
			if value := string(s.Data["HELLO_VERSION"]); s.Metadata.Name == "hello-db" {
				home = append(home, value)
			} else {
				sides = append(sides, value)
			}
		}
		slices.Sort(sides)
		all := slices.Concat(home, sides)
		if !slices.Equal(all, want) {
			return errors.New("they have " + strings.Join(all, ", "))
		}
		return nil
	})
}

// withOthersKey has values that the worker cannot open.
func withOthersKey(b *bench) platform.Revision {
	return b.withSecret(badID, "hunter2", newKey().SealingKey())
}

// swapped has the sealed values of another release.
func swapped(b *bench) platform.Revision {
	r := b.withSecret(badID, "hunter2", workerKey.SealingKey())
	r.Sealed = b.withSecret(badID, "swordfish", workerKey.SealingKey()).Sealed
	return r
}

// A rule of the cluster's that repeats what it refuses, after its namespace alone.
const repeating = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: "repeats-{{.Namespace}}"}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "{{.Namespace}}"}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [secrets]}]
  validations:
  - expression: "false"
    messageExpression: "'it has ' + string(object.data['HELLO_VERSION'])"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: "repeats-{{.Namespace}}"}
spec: {policyName: "repeats-{{.Namespace}}", validationActions: [Deny]}
`
