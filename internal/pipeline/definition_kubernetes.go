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
	// `pods` behind the one Service where there is no gateway.
	Split string `yaml:"split" enum:"route pods" default:"route"`
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
