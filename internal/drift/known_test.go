package drift

import (
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// fields are all fields of the types of Kubernetes that a service is made of, by name:
// one name may stand for several.
func fields() map[string][]reflect.StructField {
	found := map[string][]reflect.StructField{}
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] || strings.HasSuffix(t.Name(), "Status") || !strings.HasPrefix(t.PkgPath(), "k8s.io/api/") {
			return
		}
		seen[t] = true
		for i := range t.NumField() {
			f := t.Field(i)
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				found[name] = append(found[name], f)
			}
			walk(f.Type)
		}
	}
	for _, v := range []any{
		appsv1.Deployment{}, appsv1.StatefulSet{}, appsv1.DaemonSet{}, batchv1.Job{}, batchv1.CronJob{}, corev1.Service{}, corev1.ConfigMap{},
		corev1.Secret{}, corev1.ServiceAccount{}, corev1.PersistentVolumeClaim{}, autoscalingv2.HorizontalPodAutoscaler{}, policyv1.PodDisruptionBudget{},
		networkingv1.NetworkPolicy{}, networkingv1.Ingress{}, rbacv1.Role{}, rbacv1.RoleBinding{},
	} {
		walk(reflect.TypeOf(v))
	}
	return found
}

func omits(f reflect.StructField) bool { return strings.Contains(f.Tag.Get("json"), ",omitempty") }

func TestFieldsThatAreLeftOutAtZeroAreKnown(t *testing.T) {
	except := map[string]string{
		"readOnly":         "of some volumes it is kept, and means the same",
		"successThreshold": "zero becomes the default",
		"failureThreshold": "zero becomes the default",
	}
	all := fields()
	if len(all) < 300 {
		t.Fatalf("only %d fields were found", len(all))
	}
	for name, of := range all {
		drops, keeps := 0, 0
		for _, f := range of {
			kind := f.Type.Kind()
			pointer := kind == reflect.Pointer
			if pointer {
				kind = f.Type.Elem().Kind()
			}
			switch kind {
			case reflect.Bool, reflect.Int32, reflect.Int64, reflect.Int:
				if !pointer && omits(f) {
					drops++
				} else {
					keeps++
				}
			}
		}
		switch {
		case except[name] != "":
		case dropsZero[name] && (drops == 0 || keeps > 0):
			t.Errorf("%s is kept at zero somewhere", name)
		case !dropsZero[name] && drops > 0 && keeps == 0:
			t.Errorf("%s is left out at zero, and not known for it", name)
		}
	}
}

func TestFieldsOfSpecialTypesAreKnown(t *testing.T) {
	for name, of := range fields() {
		for _, f := range of {
			bare := f.Type
			if bare.Kind() == reflect.Pointer {
				bare = bare.Elem()
			}
			switch bare {
			case reflect.TypeFor[intstr.IntOrString]():
				if !intOrString[name] {
					t.Errorf("%s is a number or a text, and not known for it", name)
				}
			case reflect.TypeFor[resource.Quantity]():
				// The value of a metric is known by what stands above it.
				if !isQuantity("Deployment", path{"spec", "target", name}) && !isQuantity("Deployment", path{"spec", name}) {
					t.Errorf("%s is a quantity, and not known for it", name)
				}
			}
		}
	}
}

func TestListsWithKeysAreKnown(t *testing.T) {
	for name, of := range fields() {
		for _, f := range of {
			key := f.Tag.Get("patchMergeKey")
			if key == "" || name == "ports" || strings.HasSuffix(f.Tag.Get("json"), "-") {
				continue
			}
			if known := listKeys[name]; len(known) == 0 || known[0] != key {
				t.Errorf("the elements of %s are merged by %s, and known by %v", name, key, known)
			}
		}
	}
}
