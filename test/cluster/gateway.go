package cluster

import (
	"context"
	_ "embed"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// gatewayManifests put Traefik into the cluster, and in front of it the Gateway.
//
//go:embed gateway.yaml
var gatewayManifests string

// gatewayService is the address that gateway.yaml gives Traefik's Service.
const gatewayService = "10.96.0.80"

// startGateway teaches the API server the Gateway API and waits, where there is a node,
// until Traefik serves it.
func (c *Cluster) startGateway(ctx context.Context) error {
	both, working := errgroup.WithContext(ctx)
	both.Go(func() error { return c.applyCRDs(working) })
	if c.options.Node {
		both.Go(func() error {
			return c.Load(working, Image{Name: "fairway.test/traefik:v1", Binary: c.built.traefik})
		})
	}
	if err := both.Wait(); err != nil {
		return err
	}
	c.say("Gateway API known")
	if !c.options.Node {
		return nil
	}
	if err := c.API.Apply(ctx, gatewayManifests); err != nil {
		return err
	}
	var gateway struct {
		Status struct{ Conditions []Condition }
	}
	err := c.API.Until(ctx, "/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/fairway", &gateway,
		func() bool { return IsTrue(gateway.Status.Conditions, "Programmed") })
	if err != nil {
		return err
	}
	var traefik struct{ Status struct{ ReadyReplicas int } }
	err = c.API.Until(ctx, "/apis/apps/v1/namespaces/traefik/deployments/traefik", &traefik,
		func() bool { return traefik.Status.ReadyReplicas == 1 })
	if err != nil {
		return err
	}
	address, err := c.Forward(net.JoinHostPort(gatewayService, "80"))
	if err != nil {
		return err
	}
	c.GatewayURL = "http://" + address
	c.say("gateway ready")
	return nil
}

func (c *Cluster) applyCRDs(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(c.built.crds, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !strings.Contains(string(text), "\nkind: CustomResourceDefinition\n") {
			continue // what rules how the definitions may be changed later
		}
		if err := c.API.Apply(ctx, string(text)); err != nil {
			return err
		}
	}
	for _, name := range []string{"gatewayclasses", "gateways", "httproutes"} {
		var crd struct {
			Status struct{ Conditions []Condition }
		}
		path := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + name + ".gateway.networking.k8s.io"
		err := c.API.Until(ctx, path, &crd, func() bool { return IsTrue(crd.Status.Conditions, "Established") })
		if err != nil {
			return err
		}
	}
	// Established is said a moment before it is served.
	return c.API.until(ctx, "the Gateway API is served", func() error {
		_, err := c.API.path(ctx, object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute"})
		return err
	})
}
