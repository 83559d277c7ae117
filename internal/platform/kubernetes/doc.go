// Package kubernetes runs revisions on Kubernetes, without a custom resource and with
// nothing installed in the cluster.
//
// The user's Deployment is and stays the home, where stable runs. A revision beside it
// stands on a side: a Deployment and a Service named NAME-REVISION. Traffic is split by
// the weights of an HTTPRoute or GRPCRoute, which is also the anchor that carries the
// fence, so that the compare of the fence and the change of the weights are one write.
// Where there is no gateway, the one Service is the anchor, and the weights are how many
// of a side's pods it selects; a side has no Service then, and only some weights are
// possible. After its proof a revision settles in the home, and the side goes away.
//
//	clusters := kubernetes.New(kubernetes.Config{UserAgent: "fairway/1.4"})
//	defer clusters.Close()
//	p, err := clusters.Open(settings)           // what a fairway.yaml says, as JSON
//	err = p.Place(ctx, lease, target, revision, platform.Capacity{Instances: 3})
//	err = p.Route(ctx, lease, target, platform.Weights{home: 950_000, revision.ID: 50_000})
//	awaits, err := p.Settle(ctx, lease, target, revision.ID) // once it has all the traffic
//
// What is read comes from a mirror of the namespace that watches feed; what is decided on
// an old view is refused by the API server, because every write carries the resource
// version that was read. Files are named by the verb or the thing: observe.go, place.go,
// route.go, retire.go and settle.go; home.go, rewrite.go and variables.go for what is written of
// the home; anchor.go and split.go for the traffic, with backends.go for routes, and
// selection.go, follow.go and weigh.go for pods; side.go and copies.go for what stands on a
// side, pod.go and events.go for what is said of pods, published.go for whether gateways know
// them, rights.go for what the worker's account must be allowed: docs/kubernetes-role.yaml
// gives it.
//
// It does not judge, render manifests, or know releases.
package kubernetes
