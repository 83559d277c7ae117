package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/test/cluster/sandbox"
)

const (
	prometheusName = "prometheus"
	// prometheusPort is one that pods reach, too.
	prometheusPort = sandbox.Address + ":9090"
	// targetsFile names the pods to scrape. It lies in a folder that Prometheus watches.
	targetsFile = "prometheus/pods.json"
)

// notInLabels is what Prometheus does not allow in the name of a label.
var notInLabels = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// PrometheusOptions say what is scraped how.
type PrometheusOptions struct {
	// Interval is the time between two scrapes; 2 s when 0.
	Interval time.Duration
	// Pods adds to Traefik all pods with the annotation prometheus.io/port, with their
	// labels, and namespace and pod.
	Pods bool
}

// Prometheus is the machine's own (Debian's package prometheus), run within a cluster.
type Prometheus struct {
	// URL is where it answers to this machine, also while it is stopped and started.
	URL string

	cluster *Cluster
	args    []string
}

// StartPrometheus starts one that scrapes the gateway, and waits until it answers. It
// ends with the cluster.
func (c *Cluster) StartPrometheus(ctx context.Context, o PrometheusOptions) (*Prometheus, error) {
	if o.Interval == 0 {
		o.Interval = 2 * time.Second
	}
	if err := c.write("prometheus/prometheus.yml", c.prometheusConfig(o)); err != nil {
		return nil, err
	}
	address, err := c.Forward(prometheusPort)
	if err != nil {
		return nil, err
	}
	p := &Prometheus{URL: "http://" + address, cluster: c, args: []string{
		"prometheus", "--config.file=" + c.path("prometheus/prometheus.yml"),
		"--storage.tsdb.path=" + c.path("prometheus/data"), "--web.listen-address=" + prometheusPort, "--log.level=warn",
	}}
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	if o.Pods {
		c.work.Go(func() { c.discover(c.ending) })
	}
	return p, nil
}

// Start starts it again after Stop, with what it knew before, and waits until it answers.
func (p *Prometheus) Start(ctx context.Context) error {
	if err := p.cluster.sandbox.Run(sandbox.Process{Name: prometheusName, Args: p.args}); err != nil {
		return err
	}
	return p.cluster.API.until(ctx, "Prometheus answers", func() error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/-/ready", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %s", answer.Status)
		}
		return nil
	})
}

// Stop kills it; nobody answers then at its URL.
func (p *Prometheus) Stop() error { return p.cluster.sandbox.Kill(prometheusName) }

func (c *Cluster) prometheusConfig(o PrometheusOptions) []byte {
	return fmt.Appendf(nil, `global: {scrape_interval: %[1]s, scrape_timeout: %[1]s, evaluation_interval: %[1]s}
scrape_configs:
- job_name: traefik
  static_configs:
  - targets: ["%[2]s:9100"]
- job_name: pods
  file_sd_configs:
  - files: [%[3]q]
    refresh_interval: 1s
`, o.Interval, gatewayService, c.path(targetsFile))
}

// discover writes down which pods there are. Debian's Prometheus is built without the
// discovery that asks Kubernetes itself.
func (c *Cluster) discover(ctx context.Context) {
	for {
		// While the API server is away, what was known stays.
		if targets, err := c.scrapedPods(ctx); err == nil {
			if err := c.replace(targetsFile, targets); err != nil {
				c.say("write the pods to scrape: %v", err)
			}
		}
		if process.Wait(ctx, time.Second) != nil {
			return
		}
	}
}

func (c *Cluster) scrapedPods(ctx context.Context) ([]byte, error) {
	var pods struct {
		Items []struct {
			Metadata struct {
				Name, Namespace     string
				Labels, Annotations map[string]string
			}
			Status struct {
				PodIP string `json:"podIP"`
			}
		}
	}
	if err := c.API.Get(ctx, "/api/v1/pods?resourceVersion=0", &pods); err != nil {
		return nil, err
	}
	type group struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	groups := []group{}
	for _, pod := range pods.Items {
		port := pod.Metadata.Annotations["prometheus.io/port"]
		if port == "" || pod.Status.PodIP == "" {
			continue
		}
		labels := map[string]string{"namespace": pod.Metadata.Namespace, "pod": pod.Metadata.Name}
		for name, value := range pod.Metadata.Labels {
			labels[notInLabels.ReplaceAllString(name, "_")] = value
		}
		groups = append(groups, group{[]string{net.JoinHostPort(pod.Status.PodIP, port)}, labels})
	}
	return json.Marshal(groups)
}

// replace puts a file in the place of another in one instant.
func (c *Cluster) replace(name string, content []byte) error {
	half := filepath.Join(filepath.Dir(name), "half-written")
	if err := c.write(half, content); err != nil {
		return err
	}
	return os.Rename(c.path(half), c.path(name))
}
