package metric

import (
	"fmt"
	"strings"
)

// sent is what a gateway has sent to one Service, each request within 0.2 s.
type sent struct {
	namespace, service string
	ok, failed         int
}

// shapes are how gateways, meshes and applications show what they have sent, by the names of
// their presets: with the labels that are told apart by, and some others.
var shapes = map[string]func(sent) string{
	"traefik": func(s sent) string {
		labels := func(code int) string {
			return fmt.Sprintf(`code="%d",method="GET",protocol="http",service="%s-%s-http-80@kubernetesgateway"`, code, s.namespace, s.service)
		}
		return counter("traefik_service_requests_total", labels(200), s.ok) + counter("traefik_service_requests_total", labels(502), s.failed) +
			buckets("traefik_service_request_duration_seconds", labels(200), 1, s.ok) +
			buckets("traefik_service_request_duration_seconds", labels(502), 1, s.failed)
	},
	"istio": func(s sent) string {
		labels := func(reporter string, code int) string {
			return fmt.Sprintf(`reporter=%q,source_workload="gateway",destination_service="%s.%s.svc.cluster.local",destination_service_name=%q,`+
				`destination_service_namespace=%q,request_protocol="http",response_code="%d"`, reporter, s.service, s.namespace, s.service, s.namespace, code)
		}
		text := ""
		for _, reporter := range []string{"source", "destination"} {
			text += counter("istio_requests_total", labels(reporter, 200), s.ok) + counter("istio_requests_total", labels(reporter, 503), s.failed) +
				buckets("istio_request_duration_milliseconds", labels(reporter, 200), 1000, s.ok) +
				buckets("istio_request_duration_milliseconds", labels(reporter, 503), 1000, s.failed)
		}
		return text
	},
	"envoy-gateway": func(s sent) string {
		cluster := fmt.Sprintf(`envoy_cluster_name="service/%s/%s/80/http"`, s.namespace, s.service)
		return counter("envoy_cluster_upstream_rq_xx", `envoy_response_code_class="2",`+cluster, s.ok) +
			counter("envoy_cluster_upstream_rq_xx", `envoy_response_code_class="5",`+cluster, s.failed) +
			buckets("envoy_cluster_upstream_rq_time", cluster, 1000, s.ok+s.failed)
	},
	"nginx": func(s sent) string {
		labels := func(status string) string {
			return fmt.Sprintf(`nginx_upstream_name="%[1]s_%[2]s_80",nginx_zone_name="%[1]s_%[2]s_80",nginx_peer_address="10.0.0.7:8080",nginx_status_range=%[3]q`,
				s.namespace, s.service, status)
		}
		return counter("nginx_http_upstream_peer_responses_total", labels("2xx"), s.ok) +
			counter("nginx_http_upstream_peer_responses_total", labels("5xx"), s.failed)
	},
	"linkerd": func(s sent) string {
		labels := func(class string) string {
			return fmt.Sprintf(`direction="outbound",authority="shop.shops.svc:80",dst_namespace=%q,dst_service=%q,dst_deployment=%q,dst_pod=%q,classification=%q`,
				s.namespace, s.service, s.service, s.service+"-1", class)
		}
		return counter("response_total", labels("success"), s.ok) + counter("response_total", labels("failure"), s.failed) +
			counter("response_total", `direction="inbound",classification="success"`, 77) +
			buckets("response_latency_ms", labels("success"), 1000, s.ok) + buckets("response_latency_ms", labels("failure"), 1000, s.failed)
	},
	"app": func(s sent) string {
		labels := fmt.Sprintf(`namespace=%q,service=%q`, s.namespace, s.service)
		return counter("http_requests_total", labels+`,code="200",method="get"`, s.ok) + counter("http_requests_total", labels+`,code="500",method="get"`, s.failed) +
			buckets("http_request_duration_seconds", labels, 1, s.ok+s.failed)
	},
	"pods": func(s sent) string {
		labels := fmt.Sprintf(`namespace=%q,service="shop",pod="%s-7d8f9c6b5d-x2k9z"`, s.namespace, s.service)
		return counter("http_requests_total", labels+`,code="200"`, s.ok) + counter("http_requests_total", labels+`,code="500"`, s.failed) +
			counter("http_requests_total", fmt.Sprintf(`namespace=%q,service="shop",pod="%s-cache-x2k9z",code="200"`, s.namespace, s.service), 77) +
			buckets("http_request_duration_seconds", labels, 1, s.ok+s.failed)
	},
}

// counter is one line of what is scraped.
func counter(name, labels string, n int) string { return fmt.Sprintf("%s{%s} %d\n", name, labels, n) }

// buckets are the lines of a histogram of requests within 0.2 s; unit is what a second is.
func buckets(name, labels string, unit float64, n int) string {
	var b strings.Builder
	for _, le := range []float64{0.1, 0.3, 1.2} {
		within := n
		if le < 0.2 {
			within = 0
		}
		fmt.Fprintf(&b, "%s_bucket{%s,le=\"%g\"} %d\n", name, labels, le*unit, within)
	}
	fmt.Fprintf(&b, "%s_bucket{%s,le=\"+Inf\"} %d\n%s_sum{%s} %g\n%s_count{%s} %d\n", name, labels, n, name, labels, 0.2*unit*float64(n), name, labels, n)
	return b.String()
}
