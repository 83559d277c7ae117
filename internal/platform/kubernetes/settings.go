package kubernetes

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Settings are what a fairway.yaml says under `kubernetes:`, with every default filled in.
// They travel in a plan and in platform.Revision.Settings as strict JSON.
type Settings struct {
	// Context is the one of the worker's kubeconfig; empty is its current one, or the
	// cluster that the worker runs in.
	Context string `json:"context,omitempty"`
	// Namespace is where all objects of the target are.
	Namespace string `json:"namespace"`
	// Deployment is the home; Service is what leads to its pods.
	Deployment string `json:"deployment"`
	Service    string `json:"service"`
	// Route splits the traffic. Without a name the Service does, by the number of pods.
	Route RouteName `json:"route,omitzero"`
	// Container is the one whose image is released; empty where there is only one.
	Container string `json:"container,omitempty"`
	// Instances is the capacity that takes all the traffic; 0 is what the home has.
	Instances int `json:"instances,omitempty"`
	// ReadyTimeout is how long a pod may take to become ready.
	ReadyTimeout Duration `json:"readyTimeout"`
	// Drain is how long pods go on answering after traffic was taken from them.
	Drain Duration `json:"drain"`
	// Controller updates the home from a repository: "argocd" or "flux". Empty: Fairway does.
	Controller string `json:"controller,omitempty"`
	// Objects are the rendered manifests; those that are Secrets have keyed digests in the
	// places of their values, which travel sealed in platform.Revision. Without objects the
	// home's own pods are taken, with another image.
	Objects []json.RawMessage `json:"objects,omitempty"`
	// secrets are the Secrets among them with their values, by name, once they were opened.
	secrets map[string]json.RawMessage
}

// RouteName names a route of the Gateway API.
type RouteName struct {
	// Kind is HTTPRoute or GRPCRoute.
	Kind string `json:"kind,omitempty"`
	Name string `json:"name,omitempty"`
}

// Duration is written as "1m30s".
type Duration = platform.Duration

// The defaults of what a caller may leave out.
const (
	defaultReadyTimeout = Duration(2 * time.Minute)
	defaultDrain        = Duration(5 * time.Second)
)

// ParseSettings reads settings strictly. What is wrong with them is fault.Invalid.
func ParseSettings(raw []byte) (Settings, error) {
	s := Settings{ReadyTimeout: defaultReadyTimeout, Drain: defaultDrain}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return Settings{}, fault.Errorf(fault.Invalid, "read the settings of the Kubernetes platform: %w", err)
	}
	for _, must := range []struct{ name, value string }{
		{"namespace", s.Namespace}, {"deployment", s.Deployment}, {"service", s.Service},
	} {
		if must.value == "" {
			return Settings{}, fault.Errorf(fault.Invalid, "the settings of the Kubernetes platform name no %s", must.name).
				WithHint("for instance: kubernetes: {namespace: shop}")
		}
	}
	if k := s.Route.Kind; s.Route.Name != "" && k != "HTTPRoute" && k != "GRPCRoute" {
		return Settings{}, fault.Errorf(fault.Invalid, "the route %s is of kind %q, which splits no traffic", s.Route.Name, k).
			WithHint("it may be an HTTPRoute or a GRPCRoute")
	}
	return s, nil
}
