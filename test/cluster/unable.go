package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fairwayhq/fairway/test/cluster/sandbox"
)

// ErrUnable says that this machine cannot run such a cluster.
var ErrUnable = errors.New("this machine cannot run a real Kubernetes")

// packages are the Debian packages that a cluster needs, as test/setup.sh knows them.
func packages(o Options) []string {
	if !o.Node {
		return []string{"iproute2"}
	}
	return []string{"iproute2", "containerd", "runc", "containernetworking-plugins", "nftables"}
}

// pluginFolders are where distributions put the network plugins.
var pluginFolders = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// Prepare does what a machine needs before a cluster can come up, as far as it is not
// done: it installs packages and builds Kubernetes. It returns ErrUnable with the reason
// where that cannot be.
func Prepare(ctx context.Context, o Options, say func(format string, args ...any)) error {
	if err := sandbox.Possible(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnable, err)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return fmt.Errorf("%w: there is no go command to build it", ErrUnable)
	}
	if missing := lacking(o); len(missing) > 0 {
		root, err := projectRoot(ctx)
		if err != nil {
			return err
		}
		setup := exec.CommandContext(ctx, filepath.Join(root, "test", "setup.sh"), packages(o)...)
		out, err := setup.CombinedOutput()
		say("%s", strings.TrimSpace(string(out)))
		if err != nil {
			return fmt.Errorf("install packages: %w", err)
		}
	}
	if missing := lacking(o); len(missing) > 0 {
		return fmt.Errorf("%w: it lacks %s", ErrUnable, strings.Join(missing, ", "))
	}
	_, err := build(ctx, o, say)
	return err
}

func lacking(o Options) []string {
	programs := []string{"ip", "nsenter"}
	if o.Node {
		programs = append(programs, "containerd", "ctr", "runc", "nft")
	}
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	if o.Node && pluginFolder() == "" {
		missing = append(missing, "network plugins")
	}
	return missing
}

func pluginFolder() string {
	for _, dir := range pluginFolders {
		_, err := os.Stat(filepath.Join(dir, "ptp"))
		_, err2 := os.Stat(filepath.Join(dir, "host-local"))
		if err == nil && err2 == nil {
			return dir
		}
	}
	return ""
}
