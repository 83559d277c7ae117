package pipeline

import "encoding/json"

// kubernetesPlan is KubernetesDefinition as the Kubernetes platform reads it from a plan.
type kubernetesPlan struct {
	Context      string            `json:"context,omitempty"`
	Namespace    string            `json:"namespace"`
	Deployment   string            `json:"deployment"`
	Service      string            `json:"service"`
	Route        routePlan         `json:"route,omitzero"`
	Container    string            `json:"container,omitempty"`
	Instances    int               `json:"instances,omitempty"`
	ReadyTimeout Duration          `json:"readyTimeout"`
	Drain        Duration          `json:"drain"`
	Controller   string            `json:"controller,omitempty"`
	Objects      []json.RawMessage `json:"objects,omitempty"`
}

type routePlan struct {
	Kind string `json:"kind,omitempty"`
	Name string `json:"name,omitempty"`
}

// kubernetesNames resolves the settings of a service; names that are left open follow from
// the service's.
func kubernetesNames(service string, k KubernetesDefinition) kubernetesPlan {
	fillDefaults(&k)
	plan := kubernetesPlan{
		Context: k.Context, Namespace: k.Namespace, Deployment: k.Deployment, Service: k.Service,
		Container: k.Container, Instances: k.Instances, ReadyTimeout: k.ReadyTimeout, Drain: k.Drain,
	}
	if plan.Deployment == "" {
		plan.Deployment = service
	}
	if plan.Service == "" {
		plan.Service = plan.Deployment
	}
	if k.Split == "route" {
		plan.Route = routePlan{Kind: k.Route.Kind, Name: k.Route.Name}
		if plan.Route.Name == "" {
			plan.Route.Name = plan.Service
		}
	}
	return plan
}

// kubernetesSettings are the settings with the rendered manifests.
func (c *compiler) kubernetesSettings(e EnvironmentDefinition) json.RawMessage {
	k := mergeKubernetes(c.def.Kubernetes, e.Kubernetes)
	plan := kubernetesNames(c.def.Service, k)
	plan.Controller = controller(mergeGit(c.def.Git, e.Git))
	plan.Objects = c.in.Manifests[e.Name]
	if k.Manifests != nil && len(plan.Objects) == 0 {
		c.fault("ship from the folder of fairway.yaml, where they are rendered", "the manifests of the environment %q were not given", e.Name)
	}
	b, err := json.Marshal(plan)
	if err != nil {
		c.fault("render them anew", "the manifests of the environment %q are not JSON: %s", e.Name, err)
	}
	return b
}

// mergeKubernetes lays an environment's settings over those for all; either may be nil.
func mergeKubernetes(all, own *KubernetesDefinition) KubernetesDefinition {
	var k KubernetesDefinition
	for _, layer := range []*KubernetesDefinition{all, own} {
		if layer == nil {
			continue
		}
		replace(&k.Context, layer.Context, layer.Context != "")
		replace(&k.Namespace, layer.Namespace, layer.Namespace != "")
		replace(&k.Deployment, layer.Deployment, layer.Deployment != "")
		replace(&k.Service, layer.Service, layer.Service != "")
		replace(&k.Route, layer.Route, layer.Route != RouteDefinition{})
		replace(&k.Split, layer.Split, layer.Split != "")
		replace(&k.Manifests, layer.Manifests, layer.Manifests != nil)
		replace(&k.Container, layer.Container, layer.Container != "")
		replace(&k.Instances, layer.Instances, layer.Instances != 0)
		replace(&k.ReadyTimeout, layer.ReadyTimeout, layer.ReadyTimeout != 0)
		replace(&k.Drain, layer.Drain, layer.Drain != 0)
	}
	return k
}
