package kubernetes

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/sealed"
)

// Config is what a worker opens clusters with.
type Config struct {
	// Kubeconfig is a file; empty means $KUBECONFIG, ~/.kube/config, or the cluster that
	// the worker runs in, in this order.
	Kubeconfig string
	// UserAgent is how the worker presents itself to API servers.
	UserAgent string
	// Keys open the values of Secrets that come with a release. Without them none can.
	Keys sealed.Keys
	Log  *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Clusters opens platforms and keeps what they share: one connection per context and one
// mirror per namespace. It is safe for concurrent use.
type Clusters struct {
	config Config
	ctx    context.Context
	stop   context.CancelFunc
	mu     sync.Mutex
	open   map[string]*cluster
}

// New returns an empty set of clusters; nothing is connected before Open.
func New(c Config) *Clusters {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Clusters{config: c, ctx: ctx, stop: stop, open: map[string]*cluster{}}
}

// Close ends all watches and waits for them.
func (c *Clusters) Close() {
	c.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.open {
		one.watches.Wait()
	}
}

// Open returns the platform of a target. A context that is not there is fault.Invalid.
func (c *Clusters) Open(settings []byte) (*Platform, error) {
	s, err := ParseSettings(settings)
	if err != nil {
		return nil, err
	}
	one, err := c.cluster(s.Context)
	if err != nil {
		return nil, err
	}
	return &Platform{cluster: one, settings: s, config: c.config}, nil
}

func (c *Clusters) cluster(name string) (*cluster, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one, ok := c.open[name]; ok {
		return one, nil
	}
	config, err := c.restConfig(name)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, unconnected(name, err)
	}
	logs, err := newLogReader(config)
	if err != nil {
		return nil, unconnected(name, err)
	}
	one := newCluster(c.ctx, client, c.config.Now)
	one.logs = logs
	one.watches.Go(one.sweep)
	c.open[name] = one
	return one, nil
}

func unconnected(name string, err error) error {
	return fault.Errorf(fault.Invalid, "connect to the Kubernetes context %q: %w", name, err).
		WithHint("correct what the worker's kubeconfig says of this cluster: its server, certificates and credentials")
}

func (c *Clusters) restConfig(name string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.config.Kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: name}).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		err = errors.New("it has no kubeconfig, and runs in no cluster")
	}
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the worker finds no Kubernetes cluster: %w", err).
			WithHint("set KUBECONFIG where the worker runs, or run it in the cluster; `context` chooses among several")
	}
	config.UserAgent = c.config.UserAgent
	config.QPS = -1 // the API server's own priority and fairness is the better limit
	return config, nil
}

func newCluster(ctx context.Context, client dynamic.Interface, now func() time.Time) *cluster {
	return &cluster{ctx: ctx, now: now, client: client, warnings: newRecent(), namespaces: map[string]*namespace{}, kept: map[keptTarget]bool{}}
}

// cluster is one connection.
type cluster struct {
	ctx        context.Context
	now        func() time.Time
	client     dynamic.Interface
	logs       logReader
	warnings   *recent // by a pod's UID and how long it is stuck, by doublings
	watches    sync.WaitGroup
	mu         sync.Mutex
	namespaces map[string]*namespace
	kept       map[keptTarget]bool
}

// Platform is one target's place on a cluster.
type Platform struct {
	cluster  *cluster
	settings Settings
	config   Config
}

var (
	_ platform.Platform  = (*Platform)(nil)
	_ platform.Settler   = (*Platform)(nil)
	_ platform.Weigher   = (*Platform)(nil)
	_ platform.Admitter  = (*Platform)(nil)
	_ platform.Logger    = (*Platform)(nil)
	_ platform.Previewer = (*Platform)(nil)
	_ platform.Comparer  = (*Platform)(nil)
)
