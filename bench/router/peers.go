package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fairwayhq/fairway/bench/fleet"
	"github.com/fairwayhq/fairway/internal/router"
)

// peer is a proxy in front of the origin.
type peer struct {
	name string
	addr string
	*process
}

const nginxOrigin = `worker_processes 1; daemon off; master_process off; pid %[1]s/origin.pid; error_log %[1]s/origin.err;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  server { listen %[2]s; location / { return 200 "%[3]s"; } }
}`

const nginxProxy = `worker_processes 1; daemon off; master_process off; pid %[1]s/proxy.pid; error_log %[1]s/proxy.err;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  upstream origin { server %[3]s; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen %[2]s;
    location / {
      proxy_pass http://origin; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
    }
  }
}`

const caddyConfig = `{
  "admin": {"disabled": true, "config": {"persist": false}},
  "logging": {"logs": {"default": {"level": "ERROR"}}},
  "apps": {"http": {"servers": {"s": {
    "listen": [%q], "protocols": ["h1"], "automatic_https": {"disable": true},
    "routes": [{"handle": [{"handler": "reverse_proxy",
      "transport": {"protocol": "http", "keep_alive": {"max_idle_conns_per_host": 512}},
      "upstreams": [{"dial": %q}]}]}]
  }}}}
}`

// startOrigin starts what stands behind all proxies: it answers 1 KiB, as
// cheaply as it can.
func startOrigin(ctx context.Context, dir string, cpu int) (*peer, error) {
	addr, err := fleet.FreeAddress()
	if err != nil {
		return nil, err
	}
	return startNginx(ctx, dir, cpu, "origin", addr, fmt.Sprintf(nginxOrigin, dir, addr, strings.Repeat("x", 1024)))
}

func startNginx(ctx context.Context, dir string, cpu int, name, addr, config string) (*peer, error) {
	path, err := writeConfig(dir, name+".conf", config)
	if err != nil {
		return nil, err
	}
	p, err := launch(cpu, "/usr/sbin/nginx", "-p", dir, "-e", filepath.Join(dir, name+".err"), "-c", path)
	if err != nil {
		return nil, err
	}
	return &peer{name, addr, p}, waitListening(ctx, addr, p)
}

// startPeers starts the router and those that it is compared with, all on one core.
func startPeers(ctx context.Context, dir string, cpu int, origin string) (peers []*peer, err error) {
	for _, start := range []func(context.Context, string, int, string) (*peer, error){startFairway, startCaddy, startNginxProxy} {
		p, err := start(ctx, dir, cpu, origin)
		if p != nil {
			peers = append(peers, p)
		}
		if err != nil {
			return peers, err
		}
	}
	return peers, nil
}

func startFairway(ctx context.Context, dir string, cpu int, origin string) (*peer, error) {
	p, c, err := startRouter(ctx, cpu, filepath.Join(dir, "router"), nil)
	if err != nil {
		return nil, err
	}
	r, err := c.PutRoute(ctx, "bench/throughput", router.Route{
		Fence: 1, Listen: "127.0.0.1:0",
		Arms: []router.Arm{
			{Revision: "v1", Weight: 900_000, Backends: []router.Backend{{Address: origin}}},
			{Revision: "v2", Weight: 100_000, Backends: []router.Backend{{Address: origin}}},
		},
	})
	return &peer{"fairway", r.Listen, p}, err
}

func startNginxProxy(ctx context.Context, dir string, cpu int, origin string) (*peer, error) {
	addr, err := fleet.FreeAddress()
	if err != nil {
		return nil, err
	}
	return startNginx(ctx, dir, cpu, "nginx", addr, fmt.Sprintf(nginxProxy, dir, addr, origin))
}

// startCaddy builds Caddy from its nested module and starts it.
func startCaddy(ctx context.Context, dir string, cpu int, origin string) (*peer, error) {
	binary := filepath.Join(dir, "caddy")
	build := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join("bench", "caddy"), "-o", binary, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build caddy (run this from the repository's root): %w", err)
	}
	addr, err := fleet.FreeAddress()
	if err != nil {
		return nil, err
	}
	path, err := writeConfig(dir, "caddy.json", fmt.Sprintf(caddyConfig, addr, origin))
	if err != nil {
		return nil, err
	}
	p, err := launch(cpu, binary, "run", "--config", path)
	if err != nil {
		return nil, err
	}
	return &peer{"caddy", addr, p}, waitListening(ctx, addr, p)
}
