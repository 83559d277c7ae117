package pipeline

import (
	"maps"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// starters are what a newcomer begins with, by platform. Each has at most 20 lines and no
// faults.
var starters = map[string]string{PlatformHost: hostStarter, PlatformKubernetes: kubernetesStarter}

const hostStarter = `# How SERVICE is released. Check it with: fairway check
service: SERVICE

host:                                  # for every environment on the host platform
  run: ./SERVICE -port $PORT           # how one instance starts
  ready: /healthz                      # answers with 200 when it can serve

environments:
  - name: staging
    host: {listen: "127.0.0.1:8081"}   # where users reach it
    stages:
      - deploy
      - check: {http: [/healthz]}

  - name: production
    needs: [staging]                   # it succeeded there first
    host: {listen: "127.0.0.1:8080", instances: 2}
    stages: [canary, watch, promote]   # a share of the traffic, judged, then all of it
`

const kubernetesStarter = `# How SERVICE is released. Check it with: fairway check
service: SERVICE

kubernetes: {namespace: SERVICE}       # its Deployment, Service and HTTPRoute are named SERVICE
metrics:                               # the preset is that of the gateway
  prometheus: {url: "http://prometheus.monitoring:9090", preset: traefik, interval: 15s}

environments:
  - name: production
    platform: kubernetes
    stages: [canary, watch, promote]   # a share of the traffic, judged, then all of it
`

// StarterPlatforms are those for which there is a starter, in order.
func StarterPlatforms() []string { return slices.Sorted(maps.Keys(starters)) }

// Starter is the text that `fairway init` writes, for one of StarterPlatforms; another
// platform is fault.Invalid. What is not a service's name is made one: lower-case letters,
// digits and dashes, beginning with a letter.
func Starter(service, platform string) ([]byte, error) {
	starter, ok := starters[platform]
	if !ok {
		return nil, fault.Errorf(fault.Invalid, "there is no fairway.yaml to start from for the platform %q", platform).
			WithHint("it is one of %s", strings.Join(StarterPlatforms(), ", "))
	}
	return []byte(strings.ReplaceAll(starter, "SERVICE", serviceName(service))), nil
}

func serviceName(text string) string {
	name := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		}
		return '-'
	}, text)
	name = strings.TrimLeft(name, "-0123456789")
	name = strings.TrimRight(name[:min(len(name), 63)], "-")
	if name == "" {
		return "service"
	}
	return name
}
