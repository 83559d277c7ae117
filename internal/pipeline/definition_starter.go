package pipeline

import "strings"

// starter is what a newcomer begins with. It has at most 20 lines and no faults.
const starter = `# How SERVICE is released. Check it with: fairway check
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

// Starter is the text that `fairway init` writes. What is not a service's name is
// made one: lower-case letters, digits and dashes, beginning with a letter.
func Starter(service string) []byte {
	return []byte(strings.ReplaceAll(starter, "SERVICE", serviceName(service)))
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
