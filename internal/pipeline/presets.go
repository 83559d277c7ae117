package pipeline

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// preset is how a gateway, a mesh or the application itself counts what it sends to each
// version, as selectors: see PrometheusDefinition.
type preset struct {
	requests, errors string
	// histogram is empty where there is none; unit is what it is in.
	histogram, unit string
	// instance is the label that tells the instances of a version apart, "none" where the
	// counters do not; empty is pod or instance.
	instance string
}

// noInstance stands where the only instances that counters tell apart are a gateway's own. A
// fault of one instance of the service shows in all of those, and would look like the version's.
const noInstance = "none"

// presets by the names that a definition calls them by. Each counts at the caller, where
// there is one: an instance that cannot accept connections counts nothing. A counter's name
// or label is only here if the gateway's own reference or its answer says so; docs/metrics.md
// tells what must be switched on. Where a label is a text that others could continue, it is
// matched as a whole.
var presets = map[string]preset{
	// A Service behind an HTTPRoute is NAMESPACE-NAME-http-PORT, one behind a GRPCRoute
	// NAMESPACE-NAME-PORT-grpc. The codes of gRPC that are the server's fault are unknown (2),
	// deadline exceeded (4), unimplemented (12), internal (13), unavailable (14), data loss (15).
	"traefik": {
		requests:  `traefik_service_requests_total{service=~"$namespace-$backend-(http-[0-9]+|[0-9]+-grpc)@kubernetesgateway"}`,
		errors:    `traefik_service_requests_total{service=~"$namespace-$backend-(http-[0-9]+|[0-9]+-grpc)@kubernetesgateway",code=~"5..|2|4|1[2-5]"}`,
		histogram: `traefik_service_request_duration_seconds{service=~"$namespace-$backend-(http-[0-9]+|[0-9]+-grpc)@kubernetesgateway"}`,
		instance:  noInstance,
	},
	// Both sides of a request report it; the side that sent it is counted.
	"istio": {
		requests:  `istio_requests_total{reporter="source",destination_service_namespace="$namespace",destination_service_name="$backend"}`,
		errors:    `istio_requests_total{reporter="source",destination_service_namespace="$namespace",destination_service_name="$backend",response_code=~"5.."}`,
		histogram: `istio_request_duration_milliseconds{reporter="source",destination_service_namespace="$namespace",destination_service_name="$backend"}`,
		unit:      "milliseconds",
		instance:  noInstance,
	},
	// With mergeBackends, each Service is a cluster named …service/NAMESPACE/NAME/PORT…
	"envoy-gateway": {
		requests:  `envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"(.*/)?service/$namespace/$backend/[0-9]+(/.*)?"}`,
		errors:    `envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"(.*/)?service/$namespace/$backend/[0-9]+(/.*)?",envoy_response_code_class="5"}`,
		histogram: `envoy_cluster_upstream_rq_time{envoy_cluster_name=~"(.*/)?service/$namespace/$backend/[0-9]+(/.*)?"}`,
		unit:      "milliseconds",
		instance:  noInstance,
	},
	// NGINX Gateway Fabric with NGINX Plus. An upstream is NAMESPACE_NAME_PORT, with a number
	// behind it where sessions are kept. There is no histogram: times are only averages.
	"nginx": {
		requests: `nginx_http_upstream_peer_responses_total{nginx_upstream_name=~"$namespace_$backend_[0-9]+(_.+)?"}`,
		errors:   `nginx_http_upstream_peer_responses_total{nginx_upstream_name=~"$namespace_$backend_[0-9]+(_.+)?",nginx_status_range="5xx"}`,
		instance: "nginx_peer_address",
	},
	// The proxy of the caller counts by the Service that it resolved, with or without a route.
	"linkerd": {
		requests:  `response_total{direction="outbound",dst_namespace="$namespace",dst_service="$backend"}`,
		errors:    `response_total{direction="outbound",dst_namespace="$namespace",dst_service="$backend",classification="failure"}`,
		histogram: `response_latency_ms{direction="outbound",dst_namespace="$namespace",dst_service="$backend"}`,
		unit:      "milliseconds",
		instance:  "dst_pod",
	},
	// A ServiceMonitor labels what it scrapes with the namespace and the Service.
	"app": {
		requests:  `http_requests_total{namespace="$namespace",service="$backend"}`,
		errors:    `http_requests_total{namespace="$namespace",service="$backend",code=~"5.."}`,
		histogram: `http_request_duration_seconds{namespace="$namespace",service="$backend"}`,
	},
	// A pod is named after its Deployment, a hash and a random end, both of the letters and
	// digits that spell no words.
	podsPreset: {
		requests:  `http_requests_total{namespace="$namespace",pod=~"$backend-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}"}`,
		errors:    `http_requests_total{namespace="$namespace",pod=~"$backend-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}",code=~"5.."}`,
		histogram: `http_request_duration_seconds{namespace="$namespace",pod=~"$backend-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}"}`,
	},
}

// podsPreset is the one preset that tells apart the pods behind one Service.
const podsPreset = "pods"

// presetNames are the names of all presets, in order.
func presetNames() []string { return slices.Sorted(maps.Keys(presets)) }

// backendWords are the words that only some platforms have something for.
var backendWords = []string{"$backend", "$namespace"}

// asksBy tells whether any of the queries has any of the words.
func asksBy(words []string, queries ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		return slices.ContainsFunc(queries, func(q string) bool { return strings.Contains(q, word) })
	})
}

// resolved is the definition with the queries of its preset in place of those that it does
// not have itself. The unit of a preset is that of its histogram only.
func (p PrometheusDefinition) resolved() PrometheusDefinition {
	from := presets[p.Preset]
	if p.Histogram == "" {
		p.Histogram, p.Unit = from.histogram, from.unit
	}
	p.Requests = cmp.Or(p.Requests, from.requests)
	p.Errors = cmp.Or(p.Errors, from.errors)
	p.Instance = cmp.Or(p.Instance, from.instance)
	return p
}

// Presets are the queries of all presets, by name, for who shows or tests them. A plan has
// its own: see Prometheus.Preset.
func Presets() map[string]Prometheus {
	all := map[string]Prometheus{}
	for name := range presets {
		all[name] = *compileMetrics(MetricsDefinition{Prometheus: &PrometheusDefinition{Preset: name}}, nil).Prometheus
	}
	return all
}
