package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairwayhq/fairway/internal/fault"
)

// right is one that a worker must have in the namespace of a target.
type right struct {
	resource schema.GroupVersionResource
	verb     string
}

func (r right) String() string { return r.verb + " " + r.resource.GroupResource().String() }

// rights are those without which a release could not be made or not be taken back. What a
// worker does without where it must (logs, monitors) is not among them.
func (p *Platform) rights() []right {
	var all []right
	may := func(resource schema.GroupVersionResource, verbs ...string) {
		for _, v := range verbs {
			all = append(all, right{resource, v})
		}
	}
	may(p.anchorResource(), "list", "watch", "update")
	may(deployments, "list", "watch", "create", "patch", "delete")
	may(replicaSets, "list", "watch")
	may(pods, "list", "watch")
	may(services, "get", "create", "patch")
	if p.byPods() {
		may(pods, "patch")
	}
	may(autoscalers, "list", "create", "patch")
	may(budgets, "list", "create", "patch")
	may(networkPolicies, "list", "create", "patch")
	return all
}

// rightsTo are those that the objects of a release take. Whether one is there already is asked
// of accounts and, by a first release, of everything that it brings.
func rightsTo(objects []placedObject, first bool) []right {
	var all []right
	for _, o := range objects {
		if first || o.resource == serviceAccounts {
			verb := "list"
			if readByName(o.resource) {
				verb = "get"
			}
			all = append(all, right{o.resource, verb})
		}
		all = append(all, right{o.resource, "create"}, right{o.resource, "patch"})
	}
	return all
}

// rightsToCopy are those that copies take of objects whose kind a worker need not see, where
// it sees some that select the home's Service.
func (p *Platform) rightsToCopy(ctx context.Context) ([]right, error) {
	var all []right
	for _, kind := range selectingKinds {
		if !kind.optional || kind.services && p.byPods() {
			continue
		}
		list, err := p.client(kind.resource).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || err == nil && len(list.Items) == 0 {
			continue
		}
		if err != nil {
			return nil, faultOf(err, "read "+kind.resource.Resource)
		}
		home, err := p.homeService(ctx)
		if err != nil {
			return nil, err
		}
		selects := func(o unstructured.Unstructured) bool {
			_, by := selectorIn(&o, kind.selector)
			return o.GetLabels()[homeLabel] == "" && by.Matches(labels.Set(home.Labels))
		}
		if slices.ContainsFunc(list.Items, selects) {
			all = append(all, right{kind.resource, "create"}, right{kind.resource, "patch"})
		}
	}
	return all, nil
}

// permitted refuses a worker that lacks a right, before it has changed anything: one that
// may not delete, say, would only find out when something is to be taken away.
func (p *Platform) permitted(ctx context.Context, wanted []right) error {
	wanted = append(p.rights(), wanted...)
	review := authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: p.settings.Namespace}}
	if err := p.review(ctx, "selfsubjectrulesreviews", "SelfSubjectRulesReview", &review); err != nil {
		return unlessUnasked(err) // who may not even ask is told by what is refused
	}
	copied, err := p.rightsToCopy(ctx)
	if err != nil {
		return err
	}
	wanted = append(wanted, copied...)
	var missing []string
	for _, r := range wanted {
		if r.within(review.Status.ResourceRules) {
			continue
		}
		if review.Status.Incomplete {
			if may, err := p.may(ctx, r); err != nil || may {
				if err != nil {
					return err
				}
				continue
			}
		}
		if text := r.String(); !slices.Contains(missing, text) {
			missing = append(missing, text)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fault.Errorf(fault.Denied, "the worker's account may not %s in the namespace %s", strings.Join(missing, ", "), p.settings.Namespace).
		WithHint("docs/kubernetes-role.yaml is the role that it needs")
}

// within tells whether any rule gives the right, for one object at least.
func (r right) within(rules []authorizationv1.ResourceRule) bool {
	has := func(all []string, one string) bool { return slices.Contains(all, one) || slices.Contains(all, "*") }
	return slices.ContainsFunc(rules, func(rule authorizationv1.ResourceRule) bool {
		return has(rule.Verbs, r.verb) && has(rule.APIGroups, r.resource.Group) && has(rule.Resources, r.resource.Resource)
	})
}

// may asks for one right, where the cluster cannot list them all.
func (p *Platform) may(ctx context.Context, r right) (bool, error) {
	review := authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: p.settings.Namespace, Verb: r.verb, Group: r.resource.Group, Resource: r.resource.Resource,
		},
	}}
	if err := p.review(ctx, "selfsubjectaccessreviews", "SelfSubjectAccessReview", &review); err != nil {
		return true, unlessUnasked(err)
	}
	return review.Status.Allowed, nil
}

// unlessUnasked is the error of a question about rights; nil if the worker may not ask it,
// or if the cluster cannot answer it.
func unlessUnasked(err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
		return nil
	}
	return faultOf(err, "ask what the worker may do")
}

// review asks the API server about the worker itself, which everybody may.
func (p *Platform) review(ctx context.Context, resource, kind string, about any) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(about)
	if err != nil {
		return fmt.Errorf("encode a %s: %w", kind, err)
	}
	o := &unstructured.Unstructured{Object: fields}
	o.SetGroupVersionKind(authorizationv1.SchemeGroupVersion.WithKind(kind))
	answer, err := p.cluster.client.Resource(authorizationv1.SchemeGroupVersion.WithResource(resource)).Create(ctx, o, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(answer.Object, about)
}
