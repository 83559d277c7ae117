package kubernetes

import (
	"errors"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fairwayhq/fairway/internal/fault"
)

// faultOf says what an answer of the API server means; what is the verb and the thing.
// Faults of this package pass as they are.
func faultOf(err error, what string) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	var status apierrors.APIStatus
	switch {
	case !errors.As(err, &status):
		return fault.Errorf(fault.Unavailable, "%s: %w", what, err)
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return fault.Errorf(fault.Invalid, "%s: the namespace is being deleted: %w", what, err).WithHint(hintNamespaceGoes)
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		return fault.Errorf(fault.Unavailable, "%s: %w", what, err).WithHint("the namespace has no room left; raise its quota or free some")
	case apierrors.IsForbidden(err) && !lacksRight.MatchString(err.Error()):
		return fault.Errorf(fault.Invalid, "%s: the cluster's rules do not admit it: %w", what, err).
			WithHint("change the manifests as the message says, or ask who keeps the cluster's policies to admit it")
	case apierrors.IsForbidden(err):
		return fault.Errorf(fault.Denied, "%s: %w", what, err).WithHint("docs/kubernetes-role.yaml is the role that a worker needs")
	case apierrors.IsUnauthorized(err):
		return fault.Errorf(fault.Denied, "%s: the cluster does not accept the worker's credentials: %w", what, err).
			WithHint("renew the kubeconfig or the token of the worker")
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsNotAcceptable(err), apierrors.IsRequestEntityTooLargeError(err):
		return fault.Errorf(fault.Invalid, "%s: %w", what, err)
	case apierrors.IsNotFound(err):
		return fault.Errorf(fault.NotFound, "%s: %w", what, err)
	}
	return fault.Errorf(fault.Unavailable, "%s: %w", what, err)
}

const hintNamespaceGoes = "wait until it is gone and make it again, or name another in `namespace`"

// lacksRight matches how the API server says that somebody may not do a thing at all, other
// than its rules for what objects may be like, which it refuses by the same code.
var lacksRight = regexp.MustCompile(`cannot \S+ resource`)

// stale tells that the API server refused a write because what it was decided on has gone.
func stale(err error) bool {
	return errors.Is(err, errStale) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}

// errStale marks other errors that mean the same: what was to be changed is not there.
var errStale = errors.New("it has changed meanwhile")
