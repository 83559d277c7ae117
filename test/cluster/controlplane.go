package cluster

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"

	"github.com/fairwayhq/fairway/test/cluster/sandbox"
)

// Addresses inside. Pods get theirs from podRange.
const (
	serviceRange = "10.96.0.0/16"
	podRange     = "10.244.0.0/24"
	apiService   = "10.96.0.1" // the first of the range, by Kubernetes' rule
	nodeName     = "node-1"

	apiPort  = "6443"
	etcdURL  = "http://127.0.0.1:2379"
	etcdPeer = "http://127.0.0.1:2380"
)

// startControlPlane starts etcd and the components that need no node, and waits until
// the API server answers and objects can be made.
func (c *Cluster) startControlPlane(ctx context.Context) error {
	if err := c.writeKeys(); err != nil {
		return fmt.Errorf("make keys: %w", err)
	}
	if err := c.reachAPI(); err != nil {
		return err
	}
	if err := c.run("etcd", c.etcd()...); err != nil {
		return err
	}
	if err := c.write("audit.yaml", []byte(auditPolicy)); err != nil {
		return err
	}
	if err := c.startAPIServer(ctx); err != nil {
		return err
	}
	if err := c.run("kube-controller-manager", c.controllerManager()...); err != nil {
		return err
	}
	if err := c.run("kube-scheduler", c.scheduler()...); err != nil {
		return err
	}
	return c.API.until(ctx, "pods can be made", func() error {
		return c.API.Get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
	})
}

// RestartAPIServer kills the API server, by SIGKILL and with all connections to it, and
// starts it again on the same data. It returns when the new one is ready.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	if err := c.sandbox.Kill("kube-apiserver"); err != nil {
		return err
	}
	return c.startAPIServer(ctx)
}

func (c *Cluster) startAPIServer(ctx context.Context) error {
	if err := c.run("kube-apiserver", c.apiServer()...); err != nil {
		return err
	}
	return c.API.until(ctx, "the API server is ready", func() error {
		return c.API.Get(ctx, "/readyz", nil)
	})
}

func (c *Cluster) etcd() []string {
	return flags{
		"name":                        "etcd",
		"data-dir":                    c.path("etcd"),
		"listen-client-urls":          etcdURL,
		"advertise-client-urls":       etcdURL,
		"listen-peer-urls":            etcdPeer,
		"initial-advertise-peer-urls": etcdPeer,
		"initial-cluster":             "etcd=" + etcdPeer,
		"log-level":                   "warn",
		// What is written here never has to outlive the machine.
		"unsafe-no-fsync": "true",
	}.list()
}

func (c *Cluster) apiServer() []string {
	return flags{
		"etcd-servers":                       etcdURL,
		"bind-address":                       "0.0.0.0",
		"advertise-address":                  sandbox.Address,
		"secure-port":                        apiPort,
		"service-cluster-ip-range":           serviceRange,
		"authorization-mode":                 "Node,RBAC",
		"allow-privileged":                   "true",
		"profiling":                          "false",
		"client-ca-file":                     c.path("pki/ca.crt"),
		"tls-cert-file":                      c.path("pki/apiserver.crt"),
		"tls-private-key-file":               c.path("pki/apiserver.key"),
		"kubelet-client-certificate":         c.path("pki/apiserver-to-kubelet.crt"),
		"kubelet-client-key":                 c.path("pki/apiserver-to-kubelet.key"),
		"kubelet-preferred-address-types":    "InternalIP",
		"service-account-issuer":             "https://kubernetes.default.svc.cluster.local",
		"service-account-key-file":           c.path("pki/tokens.pub"),
		"service-account-signing-key-file":   c.path("pki/tokens.key"),
		"requestheader-client-ca-file":       c.path("pki/ca.crt"),
		"requestheader-allowed-names":        "front-proxy",
		"requestheader-username-headers":     "X-Remote-User",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"proxy-client-cert-file":             c.path("pki/front-proxy.crt"),
		"proxy-client-key-file":              c.path("pki/front-proxy.key"),
		"audit-policy-file":                  c.path("audit.yaml"),
		"audit-log-path":                     c.path(auditLog),
	}.list()
}

func (c *Cluster) controllerManager() []string {
	f := c.asUser("controller-manager")
	f["service-account-private-key-file"] = c.path("pki/tokens.key")
	f["root-ca-file"] = c.path("pki/ca.crt")
	f["cluster-signing-cert-file"] = c.path("pki/ca.crt")
	f["cluster-signing-key-file"] = c.path("pki/ca.key")
	f["requestheader-client-ca-file"] = c.path("pki/ca.crt")
	f["use-service-account-credentials"] = "true"
	f["allocate-node-cidrs"] = "false"
	// At the default of 20 requests a second, roll-outs wait for the controllers.
	f["kube-api-qps"] = "200"
	f["kube-api-burst"] = "400"
	return f.list()
}

func (c *Cluster) scheduler() []string {
	f := c.asUser("scheduler")
	f["kube-api-qps"] = "200"
	f["kube-api-burst"] = "400"
	return f.list()
}

// asUser are the flags of a component that calls the API server with a kubeconfig.
func (c *Cluster) asUser(user string) flags {
	file := c.path(user + ".kubeconfig")
	return flags{
		"kubeconfig":                file,
		"authentication-kubeconfig": file,
		"authorization-kubeconfig":  file,
		"bind-address":              "127.0.0.1",
		"leader-elect":              "false",
	}
}

// writeKeys makes the authority and what it signs: certificates as files, and for each
// user of the API a kubeconfig with its certificate in it.
func (c *Cluster) writeKeys() error {
	a, ca, err := newAuthority()
	if err != nil {
		return err
	}
	c.authority = a
	private, public, err := newSigner()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"pki/ca.crt": ca.cert, "pki/ca.key": ca.key,
		"pki/tokens.key": private, "pki/tokens.pub": public,
	}
	for _, u := range []struct {
		file, name string
		groups     []string
		hosts      []string
	}{
		{"apiserver", "kube-apiserver", nil, []string{
			"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc.cluster.local", "127.0.0.1", sandbox.Address, apiService}},
		{"kubelet", "system:node:" + nodeName, []string{"system:nodes"}, []string{nodeName, "127.0.0.1", sandbox.Address}},
		{"apiserver-to-kubelet", "apiserver-to-kubelet", []string{"system:masters"}, nil},
		{"front-proxy", "front-proxy", nil, nil},
	} {
		p, err := a.issue(u.name, u.groups, u.hosts...)
		if err != nil {
			return err
		}
		files["pki/"+u.file+".crt"], files["pki/"+u.file+".key"] = p.cert, p.key
		if u.file == "kubelet" {
			files["kubelet.kubeconfig"] = kubeconfig(insideURL, ca, p)
		}
	}
	for file, name := range map[string]string{
		"controller-manager": "system:kube-controller-manager",
		"scheduler":          "system:kube-scheduler",
		"proxy":              "system:kube-proxy",
	} {
		p, err := a.issue(name, nil)
		if err != nil {
			return err
		}
		files[file+".kubeconfig"] = kubeconfig(insideURL, ca, p)
	}
	for name, content := range files {
		if err := c.write(name, content); err != nil {
			return err
		}
	}
	return nil
}

const insideURL = "https://127.0.0.1:" + apiPort

// reachAPI makes the administrator's ways to the API server.
func (c *Cluster) reachAPI() error {
	admin, err := c.authority.issue("admin", []string{"system:masters"})
	if err != nil {
		return err
	}
	config, err := c.authority.clientConfig(admin)
	if err != nil {
		return err
	}
	transport := c.Transport()
	transport.TLSClientConfig = config
	c.API = &API{url: insideURL, client: &http.Client{Transport: transport}}

	outside, err := c.Forward(net.JoinHostPort("127.0.0.1", apiPort))
	if err != nil {
		return err
	}
	ca := pair{cert: toPEM("CERTIFICATE", c.authority.cert.Raw)}
	if err := c.write("admin.inside.kubeconfig", kubeconfig(insideURL, ca, admin)); err != nil {
		return err
	}
	c.Kubeconfig = c.path("admin.kubeconfig")
	return c.write("admin.kubeconfig", kubeconfig("https://"+outside, ca, admin))
}

func kubeconfig(url string, ca, user pair) []byte {
	inline := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: test
  cluster: {server: %q, certificate-authority-data: %s}
users:
- name: user
  user: {client-certificate-data: %s, client-key-data: %s}
contexts:
- name: test
  context: {cluster: test, user: user}
current-context: test
`, url, inline(ca.cert), inline(user.cert), inline(user.key))
}

// run starts a component of Kubernetes, or etcd.
func (c *Cluster) run(name string, args ...string) error {
	return c.sandbox.Run(sandbox.Process{Name: name, Args: append([]string{c.built.kubernetes, name}, args...)})
}

// flags are a component's command line.
type flags map[string]string

func (f flags) list() []string {
	var list []string
	for name, value := range f {
		list = append(list, "--"+name+"="+value)
	}
	return list
}
