package router

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
)

// collector shows the counters to Prometheus, by target and revision.
type collector struct{ tally *tally }

var (
	armLabels    = []string{"target", "revision"}
	requestsDesc = prometheus.NewDesc("fairway_router_requests_total", "Requests that were answered or failed.", armLabels, nil)
	errorsDesc   = prometheus.NewDesc("fairway_router_errors_total", "Requests that failed, by class.", append(armLabels, "class"), nil)
	abortedDesc  = prometheus.NewDesc("fairway_router_aborted_total", "Requests that their client gave up.", armLabels, nil)
	inflightDesc = prometheus.NewDesc("fairway_router_inflight_requests", "Requests under way.", armLabels, nil)
	latencyDesc  = prometheus.NewDesc("fairway_router_request_duration_seconds", "How long requests took.", armLabels, nil)
	unroutedDesc = prometheus.NewDesc("fairway_router_unrouted_requests_total", "Requests that no route answers to.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requestsDesc, errorsDesc, abortedDesc, inflightDesc, latencyDesc, unroutedDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	all := c.tally.snapshot(time.Now())
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	counter(unroutedDesc, all.Unrouted)
	for target, route := range all.Routes {
		for revision, arm := range route.Arms {
			counter(requestsDesc, arm.Requests, target, revision)
			counter(errorsDesc, arm.Errors.Status, target, revision, "status")
			counter(errorsDesc, arm.Errors.Connect, target, revision, "connect")
			counter(errorsDesc, arm.Errors.Transport, target, revision, "transport")
			counter(errorsDesc, arm.Errors.Timeout, target, revision, "timeout")
			counter(abortedDesc, arm.Aborted, target, revision)
			ch <- prometheus.MustNewConstMetric(inflightDesc, prometheus.GaugeValue, float64(arm.Inflight), target, revision)
			ch <- latencyMetric{arm.Latency, []*dto.LabelPair{
				{Name: proto.String("revision"), Value: proto.String(revision)},
				{Name: proto.String("target"), Value: proto.String(target)},
			}}
		}
	}
}

// latencyMetric is a histogram with both classic and native buckets.
type latencyMetric struct {
	latency Latency
	labels  []*dto.LabelPair
}

// Desc implements prometheus.Metric.
func (m latencyMetric) Desc() *prometheus.Desc { return latencyDesc }

// Write implements prometheus.Metric. The bounds are the native buckets of
// schema 2 (upper bound of bucket i: 2^(i/4)); all at or below the first bound
// is the zero bucket, all above the last one goes into the bucket that follows.
func (m latencyMetric) Write(out *dto.Metric) error {
	h := &dto.Histogram{
		SampleSum:     proto.Float64(m.latency.Seconds),
		Schema:        proto.Int32(2),
		ZeroThreshold: proto.Float64(latencyBounds[0]),
		PositiveSpan:  []*dto.BucketSpan{{Offset: proto.Int32(boundsFirst + 1), Length: proto.Uint32(boundCount)}},
	}
	var sum, before int64
	for i, n := range m.latency.Counts {
		sum += n
		if i < boundCount {
			h.Bucket = append(h.Bucket, &dto.Bucket{
				UpperBound: proto.Float64(latencyBounds[i]), CumulativeCount: proto.Uint64(uint64(sum)),
			})
		}
		if i == 0 {
			h.ZeroCount = proto.Uint64(uint64(n))
			continue
		}
		h.PositiveDelta = append(h.PositiveDelta, n-before)
		before = n
	}
	h.SampleCount = proto.Uint64(uint64(sum))
	out.Label, out.Histogram = m.labels, h
	return nil
}
