package cluster

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/fairwayhq/fairway/test/cluster/sandbox"
)

// tunables are settings of the whole machine's kernel that a kubelet insists on, with
// the values that it wants to find. It gets them as files, so that it leaves the
// machine's own alone.
var tunables = map[string]string{
	"/proc/sys/vm/overcommit_memory":      "1",
	"/proc/sys/vm/panic_on_oom":           "0",
	"/proc/sys/kernel/panic":              "10",
	"/proc/sys/kernel/panic_on_oops":      "1",
	"/proc/sys/kernel/keys/root_maxkeys":  "1000000",
	"/proc/sys/kernel/keys/root_maxbytes": "25000000",
}

// startNode starts containerd, the kubelet and kube-proxy, and waits for the node to
// be ready for pods.
func (c *Cluster) startNode(ctx context.Context) error {
	for name, content := range map[string]string{
		"containerd.toml":      c.containerdConfig(),
		"cni/10-pods.conflist": c.networkConfig(),
		"kubelet.yaml":         c.kubeletConfig(),
		"proxy.yaml":           c.proxyConfig(),
	} {
		if err := c.write(name, []byte(content)); err != nil {
			return err
		}
	}
	err := c.sandbox.Run(sandbox.Process{Name: "containerd", Args: []string{"containerd", "--config", c.path("containerd.toml")}})
	if err != nil {
		return err
	}
	if err := c.API.until(ctx, "containerd answers", func() error { return c.ctr(ctx, "version").Run() }); err != nil {
		return err
	}
	// Every pod has a container that only holds its namespaces; it must be there first.
	if err := c.Load(ctx, pause); err != nil {
		return err
	}
	err = c.run("kubelet", "--config="+c.path("kubelet.yaml"), "--kubeconfig="+c.path("kubelet.kubeconfig"),
		"--root-dir="+c.path("kubelet"), "--cert-dir="+c.path("pki"),
		"--hostname-override="+nodeName, "--node-ip="+sandbox.Address)
	if err != nil {
		return err
	}
	if err := c.run("kube-proxy", "--config="+c.path("proxy.yaml")); err != nil {
		return err
	}
	var node struct {
		Status struct{ Conditions []Condition }
	}
	return c.API.Until(ctx, "/api/v1/nodes/"+nodeName, &node, func() bool { return IsTrue(node.Status.Conditions, "Ready") })
}

// ctr is containerd's own client. Its socket is a file, so it needs not run inside.
func (c *Cluster) ctr(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ctr", append([]string{"--address", c.path("containerd.sock"), "--namespace", "k8s.io"}, args...)...)
}

// containerdConfig is in the second version of the format, which containerd 1 and 2
// both read. AppArmor is not the sandbox's to load profiles into, and a process in it
// may be forbidden to become more precious to the kernel than it is.
func (c *Cluster) containerdConfig() string {
	return fmt.Sprintf(`version = 2
root = %q
state = %q
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = %q

[ttrpc]
address = %q

[plugins."io.containerd.internal.v1.opt"]
path = %q

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = %q
disable_apparmor = true
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = %q
conf_dir = %q

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
`, c.path("containerd"), "/run/containerd", c.path("containerd.sock"), c.path("containerd.sock.ttrpc"),
		c.path("opt"), pause.Name, pluginFolder(), c.path("cni"))
}

// networkConfig gives each pod a link of its own to the node, which routes between
// them. On a common bridge, answers of Services would pass by what rewrites addresses,
// unless the kernel has a module for that.
func (c *Cluster) networkConfig() string {
	return fmt.Sprintf(`{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [{
    "type": "ptp",
    "ipMasq": false,
    "ipam": {
      "type": "host-local",
      "dataDir": %q,
      "ranges": [[{"subnet": %q}]],
      "routes": [{"dst": "0.0.0.0/0"}]
    }
  }]
}
`, c.path("addresses"), podRange)
}

func (c *Cluster) kubeletConfig() string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://%[1]s
cgroupDriver: cgroupfs
cgroupRoot: %[2]s
# Many machines that build software still have control groups of version 1.
failCgroupV1: false
failSwapOn: false
address: 0.0.0.0
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %[3]s}
authorization: {mode: Webhook}
tlsCertFile: %[4]s
tlsPrivateKeyFile: %[5]s
clusterDomain: cluster.local
resolvConf: ""
podLogsDir: %[6]s
volumePluginDir: %[7]s
# The disk is the machine's, and how full it is none of the cluster's business.
evictionHard: {memory.available: 100Mi, nodefs.available: 0%%, nodefs.inodesFree: 0%%, imagefs.available: 0%%, imagefs.inodesFree: 0%%}
imageGCHighThresholdPercent: 100
imageMinimumGCAge: 24h
# Tests wait for pods: nothing is held back.
kubeAPIQPS: 200
kubeAPIBurst: 400
registryPullQPS: 0
nodeStatusUpdateFrequency: 5s
maxPods: 200
`, c.path("containerd.sock"), c.sandbox.Cgroup, c.path("pki/ca.crt"), c.path("pki/kubelet.crt"), c.path("pki/kubelet.key"),
		c.path("pods"), c.path("volume-plugins"))
}

// proxyConfig leaves the kernel's table of connections alone, whose size is the
// machine's.
func (c *Cluster) proxyConfig() string {
	return fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: %s}
mode: nftables
clusterCIDR: %s
hostnameOverride: %s
bindAddress: 0.0.0.0
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {minSyncPeriod: 50ms, syncPeriod: 30s}
`, c.path("proxy.kubeconfig"), podRange, nodeName)
}
