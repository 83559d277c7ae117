package kubernetes

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// by is an entry of managed fields for what is beside the pods.
func by(manager string, operation metav1.ManagedFieldsOperationType, labels, annotations, spec string) metav1.ManagedFieldsEntry {
	text := `{"f:metadata": {"f:labels": {".": {}` + labels + `}, "f:annotations": {".": {}` + annotations + `}}, "f:spec": {` + spec + `}}`
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, FieldsV1: metav1.NewFieldsV1(text)}
}

func TestAReleaseWithManifestsReplacesThePodsAndLeavesTheRest(t *testing.T) {
	was := homeWith(t, "shop:v1", `{"name": "MODE", "value": "old"}`, `"limits": {"memory": "1Gi"}`)
	was.Spec.Template.Annotations = map[string]string{"kubectl.kubernetes.io/restartedAt": "noon", "other": "note"}
	wanted := homeWith(t, "shop:v2", `{"name": "MODE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}`, "")
	wanted.Labels, wanted.Annotations, wanted.Spec.Replicas = map[string]string{"chart": "shop-3"}, map[string]string{placedAnnotation: "packed"}, nil
	u := homeUpdate{was: was, wanted: wanted, container: "shop", manifests: true, managers: []metav1.ManagedFieldsEntry{
		by(fieldManager, metav1.ManagedFieldsOperationUpdate, `, "f:chart": {}, "f:tier": {}, "f:team": {}`, `, "f:about": {}, "f:fairway.dev/created": {}`, `"f:minReadySeconds": {}, "f:replicas": {}, "f:template": {}`),
		by(fieldManager, metav1.ManagedFieldsOperationApply, `, "f:older": {}`, "", `"f:replicas": {}, "f:progressDeadlineSeconds": {}, "f:strategy": {}`),
		by("kubectl", metav1.ManagedFieldsOperationUpdate, `, "f:team": {}`, "", `"f:progressDeadlineSeconds": {}, "f:paused": {}`),
	}}
	got, err := u.patch()
	if err != nil {
		t.Fatal(err)
	}
	const template = `{"$patch": "replace", "metadata": {"labels": {"app": "shop"}, "annotations": {"kubectl.kubernetes.io/restartedAt": "noon"}}, "spec": {
		"restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "containers": [{"name": "shop", "image": "shop:v2", "resources": {}, "imagePullPolicy": "IfNotPresent",
			"env": [{"name": "MODE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}]}}`
	expect(t, got, `{"metadata": {"labels": {"chart": "shop-3", "tier": null, "older": null}, "annotations": {"fairway.dev/placed": "packed", "fairway.dev/since": null, "about": null}},
		"spec": {"selector": {"$patch": "replace", "matchLabels": {"app": "shop"}}, "strategy": {"$patch": "replace"}, "minReadySeconds": null, "template": `+template+`}}`)
}

func TestAReleaseWithoutManifestsChangesTheImageAndTheVariablesAlone(t *testing.T) {
	const mode, other = `{"name": "MODE", "value": "old"}`, `{"name": "OTHER", "value": "1"}`
	was := homeWith(t, "shop:v1", mode, "")
	for env, want := range map[string]string{
		mode:                `{"name": "shop", "image": "shop:v2"}`,
		mode + ", " + other: `{"name": "shop", "image": "shop:v2", "env": [{"$patch": "replace"}, ` + mode + `, ` + other + `]}`,
		"":                  `{"name": "shop", "image": "shop:v2", "env": [{"$patch": "replace"}]}`,
	} {
		wanted := homeWith(t, "shop:v2", env, "")
		wanted.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "first"}}
		got, err := homeUpdate{was: was, wanted: wanted, container: "shop"}.patch()
		if err != nil {
			t.Fatal(err)
		}
		expect(t, got, `{"metadata": {"annotations": {"fairway.dev/since": null}}, "spec": {"template": {"spec": {"containers": [`+want+`]}}}}`)
	}
}

func TestAnAdoptedHomeHasItsStrategy(t *testing.T) {
	d := homeWith(t, "shop:v1", "", "")
	d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	r, err := adopted(d, Settings{Namespace: "shop", Deployment: "shop", Service: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	back, err := (&Platform{settings: Settings{Deployment: "shop"}}).wanted(r, nil)
	if err != nil || back.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("it comes back as %+v: %v", back, err)
	}
}

// expect compares a patch with its text.
func expect(t *testing.T, patch map[string]any, text string) {
	t.Helper()
	var want, got any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the patch (-want +got):\n%s", diff)
	}
}
