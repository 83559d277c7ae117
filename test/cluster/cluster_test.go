//go:build linux

package cluster_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/test/cluster"
	"github.com/fairwayhq/fairway/test/cluster/sandbox/sandboxtest"
)

// starter makes the test's program one that brings a cluster up and waits to be killed.
const starter = "FAIRWAY_TEST_CLUSTER_STARTER"

func TestMain(m *testing.M) {
	if os.Getenv(starter) == "" {
		os.Exit(m.Run())
	}
	c, err := cluster.Up(context.Background(), cluster.Options{Node: true}, func(string, ...any) {})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	pid, dir, cgroup := c.Sandbox()
	sandboxtest.Say(pid, dir, cgroup)
	select {}
}

func TestPodsRunAndTheGatewaySplitsTraffic(t *testing.T) {
	settings := readSettings(t)
	c := cluster.Start(t, cluster.Options{Node: true, Gateway: true})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	const hello = "github.com/fairwayhq/fairway/test/cluster/hello"
	err := c.Load(ctx,
		cluster.Image{Name: "fairway.test/hello:v1", Package: hello, LDFlags: "-X main.version=v1"},
		cluster.Image{Name: "fairway.test/hello:v2", Package: hello, LDFlags: "-X main.version=v2"})
	if err != nil {
		t.Fatal(err)
	}
	applied := time.Now()
	if err := c.API.Apply(ctx, deployment("hello", "v1", 2)+deployment("hello-canary", "v2", 1)+route(90, 10)); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, "hello", 2)
	ready(ctx, t, c, "hello-canary", 1)
	t.Logf("three pods were ready after %.1f s", time.Since(applied).Seconds())

	var service struct{ Spec struct{ ClusterIP string } }
	if err := c.API.Get(ctx, "/api/v1/namespaces/default/services/hello-canary", &service); err != nil {
		t.Fatal(err)
	}
	inner := &http.Client{Transport: c.Transport()}
	defer inner.CloseIdleConnections()
	eventually(ctx, t, "a Service leads to its pods", func() error { return says(ctx, inner, "http://"+service.Spec.ClusterIP, "v2") })
	// The gateway hears of a route, and of the pods of either side, one after the other.
	eventually(ctx, t, "the gateway leads to both sides", func() error {
		share, err := canaryShare(ctx, c.GatewayURL, 50)
		if err == nil && share == 0 {
			err = errors.New("the canary has nothing")
		}
		return err
	})

	share, err := canaryShare(ctx, c.GatewayURL, 1000)
	if err != nil || share < 0.07 || share > 0.13 {
		t.Errorf("%.1f %% of the requests went to the canary, which has a weight of 10 in 100: %v", 100*share, err)
	}
	if err := c.API.Apply(ctx, route(0, 100)); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the weights are moved", func() error {
		share, err := canaryShare(ctx, c.GatewayURL, 50)
		if err == nil && share < 1 {
			err = fmt.Errorf("the canary has %.0f %%", 100*share)
		}
		return err
	})

	pid, dir, cgroup := c.Sandbox()
	traces := sandboxtest.Of(t, pid, dir, cgroup)
	if len(traces.Processes) < 15 {
		t.Errorf("only the processes %v belong to the cluster", traces.Processes)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	traces.MustBeGone(t)
	t.Logf("%d processes and %d namespaces were gone %.1f s after the kill", len(traces.Processes), len(traces.Namespaces), time.Since(killed).Seconds())
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is still there", dir)
	}
	for name, was := range settings {
		if is, _ := os.ReadFile(name); string(is) != was {
			t.Errorf("%s was %q and is %q: the cluster has tuned the machine", name, was, is)
		}
	}
}

func TestAPodRunsAnImageByItsDigestAndPrometheusSeesItsRequests(t *testing.T) {
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("there is no prometheus on this machine; it is in the Debian package prometheus")
	}
	c := cluster.Start(t, cluster.Options{Node: true, Gateway: true})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	prometheus, err := c.StartPrometheus(ctx, cluster.PrometheusOptions{Interval: time.Second, Pods: true})
	if err != nil {
		t.Fatal(err)
	}
	const hello = "github.com/fairwayhq/fairway/test/cluster/hello"
	err = c.Load(ctx, cluster.Image{Name: "fairway.test/hello:v1", Package: hello, LDFlags: "-X main.version=v1"})
	if err != nil {
		t.Fatal(err)
	}
	both := c.Reference("fairway.test/hello:v1")
	digestAlone := strings.Replace(both, ":v1@", "@", 1)
	if err := c.API.Apply(ctx, strings.ReplaceAll(deployment("hello", "v1", 1), "fairway.test/hello:v1", both)+
		strings.ReplaceAll(deployment("hello-canary", "v1", 1), "fairway.test/hello:v1", digestAlone)+route(50, 50)); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, "hello", 1)
	ready(ctx, t, c, "hello-canary", 1)
	eventually(ctx, t, "the gateway leads to it", func() error { return says(ctx, http.DefaultClient, c.GatewayURL, "v1") })

	const counter = `traefik_service_requests_total{service="default-hello-http-80@kubernetesgateway"}`
	const bucket = `traefik_service_request_duration_seconds_bucket{service="default-hello-http-80@kubernetesgateway",le="0.005"}`
	eventually(ctx, t, "Prometheus counts requests", func() error {
		if err := says(ctx, http.DefaultClient, c.GatewayURL, "v1"); err != nil {
			return err
		}
		return has(ctx, prometheus.URL, counter, bucket)
	})
	if err := prometheus.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := has(ctx, prometheus.URL, counter); err == nil {
		t.Error("Prometheus was stopped and answers")
	}
	if err := prometheus.Start(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "Prometheus counts again", func() error { return has(ctx, prometheus.URL, counter) })
}

// has tells whether there is something of each selector.
func has(ctx context.Context, prometheus string, selectors ...string) error {
	for _, selector := range selectors {
		text, err := get(ctx, http.DefaultClient, prometheus+"/api/v1/query?query="+url.QueryEscape(selector))
		if err != nil {
			return err
		}
		if !strings.Contains(text, `"__name__"`) {
			return fmt.Errorf("%s is %s", selector, text)
		}
	}
	return nil
}

func TestRequestsAreCountedByWhoSendsThemAndTheAPIServerComesBack(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	file, err := c.KubeconfigFor("worker", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for range 3 {
		versionByKubeconfig(t, file)
	}
	versionByKubeconfig(t, c.Kubeconfig)
	eventually(ctx, t, "the worker's requests are written down", func() error {
		requests, err := c.Requests("worker", begin, time.Now())
		if err == nil && (len(requests) != 3 || requests[0].URI != "/version" || requests[0].Verb != "get" || requests[0].Status != http.StatusOK) {
			err = fmt.Errorf("they are %+v", requests)
		}
		return err
	})
	if requests, err := c.Requests("worker", begin.Add(-time.Minute), begin); err != nil || len(requests) != 0 {
		t.Errorf("before the first request there were %v: %v", requests, err)
	}

	if err := c.API.Apply(ctx, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept}"); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	if err := c.RestartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("the API server was back after %.1f s", time.Since(killed).Seconds())
	if err := c.API.Get(ctx, "/api/v1/namespaces/default/configmaps/kept", nil); err != nil {
		t.Error(err)
	}
	if version := versionByKubeconfig(t, file); version == "" {
		t.Error("the way from this machine is gone")
	}
}

func TestAHollowNodePretendsToRunPods(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := c.StartHollowNode(ctx); err != nil {
		t.Fatal(err)
	}
	hollow := func(replicas int) string {
		return strings.Replace(deployment("hello", "v1", replicas), "    spec:\n", "    spec:\n      "+cluster.HollowSelector+"\n      "+cluster.HollowToleration+"\n", 1)
	}
	if err := c.API.Apply(ctx, hollow(50)); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, "hello", 50)
	if err := c.API.Apply(ctx, hollow(1)); err != nil {
		t.Fatal(err)
	}
	var pods struct{ Items []any }
	if err := c.API.Until(ctx, "/api/v1/namespaces/default/pods", &pods, func() bool { return len(pods.Items) == 1 }); err != nil {
		t.Error(err)
	}
}

func TestAControlPlaneAloneKeepsObjects(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Gateway: true})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.API.Apply(ctx, deployment("hello", "v1", 2)+route(90, 10)); err != nil {
		t.Fatal(err)
	}
	var replicas struct {
		Items []struct{ Spec struct{ Replicas int } }
	}
	err := c.API.Until(ctx, "/apis/apps/v1/namespaces/default/replicasets", &replicas, func() bool {
		return len(replicas.Items) == 1 && replicas.Items[0].Spec.Replicas == 2
	})
	if err != nil {
		t.Error(err)
	}
	if err := c.API.Apply(ctx, "apiVersion: v1\nkind: Nonsense\nmetadata: {name: x}"); err == nil {
		t.Error("an object of a kind that is not there was applied")
	}
	if version := versionByKubeconfig(t, c.Kubeconfig); !strings.HasPrefix(version, "v1.") {
		t.Errorf("to a client on this machine the server is of version %q", version)
	}
	out, err := c.Command(ctx, "ip", "route", "get", "10.96.0.1").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "node0") {
		t.Errorf("a command does not see the cluster's network: %v: %s", err, out)
	}
	begin := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("taken down in %.1f s", time.Since(begin).Seconds())
}

func TestNothingIsLeftWhenTheTestIsKilled(t *testing.T) {
	cluster.Need(t, cluster.Options{Node: true})
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), starter+"=1")
	sandboxtest.KillStarter(t, cmd)
}

// versionByKubeconfig asks the API server as any program would that has the file.
func versionByKubeconfig(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string `yaml:"server"`
				CA     string `yaml:"certificate-authority-data"`
			} `yaml:"cluster"`
		} `yaml:"clusters"`
		Users []struct {
			User struct {
				Cert string `yaml:"client-certificate-data"`
				Key  string `yaml:"client-key-data"`
			} `yaml:"user"`
		} `yaml:"users"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	inline := func(s string) []byte {
		text, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	cluster, user := config.Clusters[0].Cluster, config.Users[0].User
	pair, err := tls.X509KeyPair(inline(user.Cert), inline(user.Key))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(inline(cluster.CA))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}}
	defer client.CloseIdleConnections()
	answer, err := client.Get(cluster.Server + "/version")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var version struct{ GitVersion string }
	if err := json.NewDecoder(answer.Body).Decode(&version); err != nil {
		t.Fatal(err)
	}
	return version.GitVersion
}

func deployment(name, version string, replicas int) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: %[3]d
  selector:
    matchLabels: {app: %[1]s}
  template:
    metadata:
      labels: {app: %[1]s}
    spec:
      containers:
      - name: hello
        image: fairway.test/hello:%[2]s
        readinessProbe:
          httpGet: {path: /, port: 8080}
          periodSeconds: 1
---
apiVersion: v1
kind: Service
metadata: {name: %[1]s}
spec:
  selector: {app: %[1]s}
  ports:
  - {port: 80, targetPort: 8080}
---
`, name, version, replicas)
}

func route(stable, canary int) string {
	return fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: hello}
spec:
  parentRefs:
  - {name: fairway}
  rules:
  - backendRefs:
    - {name: hello, port: 80, weight: %d}
    - {name: hello-canary, port: 80, weight: %d}
`, stable, canary)
}

func ready(ctx context.Context, t *testing.T, c *cluster.Cluster, deployment string, pods int) {
	t.Helper()
	var d struct{ Status struct{ ReadyReplicas int } }
	path := "/apis/apps/v1/namespaces/default/deployments/" + deployment
	if err := c.API.Until(ctx, path, &d, func() bool { return d.Status.ReadyReplicas == pods }); err != nil {
		t.Fatal(err)
	}
}

// canaryShare counts which version answers; every request must be answered.
func canaryShare(ctx context.Context, url string, requests int) (float64, error) {
	canary := 0
	for range requests {
		version, err := get(ctx, http.DefaultClient, url)
		if err != nil {
			return 0, err
		}
		if version == "v2" {
			canary++
		}
	}
	return float64(canary) / float64(requests), nil
}

func says(ctx context.Context, client *http.Client, url, version string) error {
	got, err := get(ctx, client, url)
	if err == nil && got != version {
		err = fmt.Errorf("%s says %q", url, got)
	}
	return err
}

func get(ctx context.Context, client *http.Client, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return strings.TrimSpace(string(text)), err
}

func eventually(ctx context.Context, t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return
		}
		if process.Wait(ctx, 50*time.Millisecond) != nil {
			t.Fatalf("it is not so that %s: %v", what, err)
		}
	}
}

// readSettings reads what a kubelet would tune.
func readSettings(t *testing.T) map[string]string {
	t.Helper()
	read := map[string]string{}
	for _, name := range []string{"vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys"} {
		text, err := os.ReadFile("/proc/sys/" + name)
		if err == nil {
			read["/proc/sys/"+name] = string(text)
		}
	}
	return read
}
