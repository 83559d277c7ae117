package pipeline

// KubernetesDefinition is a service on Kubernetes: a Deployment and a Service that the team
// has, and what splits their traffic. Nothing needs to be installed in the cluster.
type KubernetesDefinition struct {
	// Context is the one of the worker's kubeconfig. Without it: the current one, or the
	// cluster that the worker runs in.
	Context string `yaml:"context" example:"production"`
	// Namespace is where the Deployment, the Service and the route are.
	Namespace string `yaml:"namespace" check:"object" default:"default" example:"shop"`
	// Deployment is where the service runs. Without it: the one with the service's name.
	Deployment string `yaml:"deployment" check:"object" example:"shop"`
	// Service leads to the Deployment's pods. Without it: the one with the Deployment's name.
	Service string `yaml:"service" check:"object" example:"shop"`
	// Route splits the traffic: the name of an HTTPRoute, or a mapping. Without it: the one with the Service's name.
	Route RouteDefinition `yaml:"route"`
	// Split is what splits the traffic: the weights of the `route`, or the number of
	// `pods` behind the one Service where there is no gateway. Then a version can only have
	// what whole pods come to beside those of the Deployment, so half at most, and it has
	// it of new connections: who keeps one stays with its pod.
	Split string `yaml:"split" enum:"route pods" default:"route"`
	// Manifests is where the objects of a release come from: a folder of YAML, a Kustomize
	// folder or a Helm chart, relative to this file; or a mapping. Without it a release is
	// another image in the Deployment that is there.
	Manifests *ManifestsDefinition `yaml:"manifests"`
	// Container is the one whose image is released. Without it: the only one, or the one
	// that runs another version of the same image.
	Container string `yaml:"container" check:"object" example:"app"`
	// Instances is the number of pods that takes all the traffic. Without it: as many as
	// the Deployment has.
	Instances int `yaml:"instances" min:"1" max:"10000" example:"6"`
	// ReadyTimeout is how long a pod may take to become ready.
	ReadyTimeout Duration `yaml:"readyTimeout" default:"2m" min:"1s" max:"1h"`
	// Drain is how long pods go on answering after traffic was taken from them.
	Drain Duration `yaml:"drain" default:"5s" min:"1s" max:"10m"`
}

// RouteDefinition names a route of the Gateway API.
type RouteDefinition struct {
	// Name is the route's.
	Name string `yaml:"name,short" check:"object" example:"shop"`
	// Kind is the route's.
	Kind string `yaml:"kind" enum:"HTTPRoute GRPCRoute" default:"HTTPRoute"`
}

// ManifestsDefinition says where manifests are and how a chart is rendered.
type ManifestsDefinition struct {
	// Path is a folder, a file or a chart.
	Path string `yaml:"path,required,short" check:"relative" example:"deploy/production"`
	// Values are values files of a Helm chart; the last one counts most.
	Values []string `yaml:"values" check:"relative" max:"20" example:"[deploy/values.yaml]"`
	// Set are single values of a Helm chart, by their path.
	Set map[string]string `yaml:"set" example:"{replicas: \"3\"}"`
	// Repository is a Git repository that holds the path, where that is not this one.
	Repository string `yaml:"repository" example:"https://git.example.com/acme/deploy.git"`
	// Commit is the whole hash of the repository's commit to take.
	Commit string `yaml:"commit" check:"commit" example:"3f1c09ab72d4e5f60718293a4b5c6d7e8f901234"`
}

// ManifestSource is where the manifests of one environment are, and what they are for.
type ManifestSource struct {
	Environment                      string
	Service                          string
	Namespace, Deployment, Container string
	ManifestsDefinition
}

// Manifests lists the environments that have some.
func (d *Definition) Manifests() []ManifestSource {
	var all []ManifestSource
	for _, e := range d.Environments {
		k := mergeKubernetes(d.Kubernetes, e.Kubernetes)
		if e.Platform != "kubernetes" || k.Manifests == nil {
			continue
		}
		plan := kubernetesNames(d.Service, k)
		all = append(all, ManifestSource{
			Environment: e.Name, Service: d.Service, Namespace: plan.Namespace, Deployment: plan.Deployment, Container: plan.Container,
			ManifestsDefinition: *k.Manifests,
		})
	}
	return all
}
