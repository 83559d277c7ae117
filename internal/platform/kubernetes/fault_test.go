package kubernetes

import (
	"errors"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairwayhq/fairway/internal/fault"
)

// The API server refuses by one code who may not, what a quota has no room for, and what
// its own rules do not admit. Only the first is a matter of roles.
func TestARefusalIsToldByWhatItMeans(t *testing.T) {
	forbidden := func(why string) error {
		return apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "shop", errors.New(why))
	}
	for why, want := range map[error]fault.Code{
		forbidden(`User "worker" cannot patch resource "deployments" in API group "apps" in the namespace "shop"`): fault.Denied,
		forbidden("exceeded quota: small, requested: count/deployments.apps=1, used: 2, limited: 2"):               fault.Unavailable,
		forbidden("maximum memory usage per Container is 1Gi, but limit is 2Gi"):                                   fault.Invalid,
		errors.New("connection refused"):                                          fault.Unavailable,
		fault.Errorf(fault.Invalid, "the settings name no namespace"):             fault.Invalid,
		apierrors.NewNotFound(schema.GroupResource{Resource: "services"}, "shop"): fault.NotFound,
		apierrors.NewUnauthorized("the token has expired"):                        fault.Denied,
		apierrors.NewTooManyRequests("the API server is busy", 1):                 fault.Unavailable,
		apierrors.NewBadRequest("the object provided is unrecognized"):            fault.Invalid,
		apierrors.NewInternalError(errors.New("etcd has no leader")):              fault.Unavailable,
	} {
		if got := faultOf(why, "write Deployment shop"); fault.CodeOf(got) != want {
			t.Errorf("%v is %s, not %s", why, fault.CodeOf(got), want)
		}
	}
}

func TestARightIsGivenByTheWholeOfARule(t *testing.T) {
	rule := func(group, resource, verb string) authorizationv1.ResourceRule {
		return authorizationv1.ResourceRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}}
	}
	may := right{deployments, "delete"}
	for _, c := range []struct {
		rules []authorizationv1.ResourceRule
		want  bool
	}{
		{nil, false},
		{[]authorizationv1.ResourceRule{rule("apps", "deployments", "delete")}, true},
		{[]authorizationv1.ResourceRule{rule("*", "*", "*")}, true},
		{[]authorizationv1.ResourceRule{rule("apps", "deployments", "patch"), rule("apps", "replicasets", "delete"), rule("", "deployments", "delete")}, false},
		{[]authorizationv1.ResourceRule{rule("apps", "deployments/scale", "delete")}, false},
	} {
		if got := may.within(c.rules); got != c.want {
			t.Errorf("%v give the right to %s: %t", c.rules, may, got)
		}
	}
}

func TestARefusalSaysWhatHelps(t *testing.T) {
	goes := apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "shop", errors.New("it is being terminated"))
	goes.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for why, want := range map[error]string{
		goes: "wait until it is gone",
		apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "shop", errors.New("violates PodSecurity")): "change the manifests",
		apierrors.NewUnauthorized("the token has expired"):                                                         "the token of the worker",
	} {
		if got := fault.HintOf(faultOf(why, "write Service shop")); !strings.Contains(got, want) {
			t.Errorf("%v has the hint %q, without %q", why, got, want)
		}
	}
}
