package manifest

import "slices"

// released are the kinds that are written with a release, beside its Deployment: kind and
// API group. Routes are not among them, for their weights are the release's.
var released = [][2]string{
	{"ServiceAccount", ""}, {"ConfigMap", ""}, {"Secret", ""}, {"Service", ""},
	{"PodDisruptionBudget", "policy"},
	{"NetworkPolicy", "networking.k8s.io"},
	{"ServiceMonitor", "monitoring.coreos.com"},
	{"HorizontalPodAutoscaler", "autoscaling"},
}

// Released tells whether an object is written with a release of that Deployment, or only
// stands in its plan.
func (o Object) Released(deployment string) bool {
	if o.is("apps", "Deployment") {
		return o.Name == deployment
	}
	return slices.Contains(released, [2]string{o.Kind, o.Group()})
}
