package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
)

// validator finds the faults that no single value shows: what must agree across fields.
type validator struct {
	*decoder
	def *Definition
}

// at is where the path stands, else what contains it.
func (v *validator) at(path string) place {
	for {
		if p, ok := v.values[path]; ok {
			return p
		}
		if path == "" {
			return place{1, 1, 1}
		}
		path = parent(path)
	}
}

// key is where the path's key stands, else its value.
func (v *validator) key(path string) place {
	if p, ok := v.keys[path]; ok {
		return p
	}
	return v.at(path)
}

func parent(path string) string {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '.' || path[i] == '[' {
			return path[:i]
		}
	}
	return ""
}

// validate checks the whole definition. It may see values that are missing or
// half-read, which have their own faults already.
func (v *validator) validate() {
	v.with()
	v.config("config", v.def.Config, ConfigDefinition{})
	v.metrics("metrics", &v.def.Metrics)
	if v.def.Host != nil {
		v.sticky("host", v.def.Host)
	}
	names := map[string]int{}
	for i := range v.def.Environments {
		e, path := &v.def.Environments[i], fmt.Sprintf("environments[%d]", i)
		if v.unread[path] {
			continue
		}
		if first, twice := names[e.Name]; twice && e.Name != "" {
			v.fault(v.at(path+".name"), "give each environment its own name",
				"the environment %q is there twice, first on line %d", e.Name, v.at(fmt.Sprintf("environments[%d].name", first)).line)
		} else {
			names[e.Name] = i
		}
		v.config(path+".config", e.Config, v.def.Config)
		v.metrics(path+".metrics", e.Metrics)
		v.backends(path, e)
		v.host(path, e)
		v.kubernetes(path, e)
		v.git(path, e)
		v.stages(path, e)
		v.waves(path, e)
	}
	v.platforms()
	v.needs(names)
	v.listens()
}

// config finds names that are set twice.
func (v *validator) config(path string, c, base ConfigDefinition) {
	v.secrets(path, c.Secrets, c.Env, base.Env)
	to := map[string]int{}
	for i, f := range c.Files {
		target := f.target()
		if first, twice := to[target]; twice && target != "" {
			v.fault(v.at(fmt.Sprintf("%s.files[%d]", path, i)), "give each file its own `to`",
				"%q is written twice, first by line %d", target, v.at(fmt.Sprintf("%s.files[%d]", path, first)).line)
			continue
		}
		to[target] = i
	}
}

// secrets finds secrets with the name of a variable.
func (v *validator) secrets(path string, secrets map[string]string, variables ...map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		for _, env := range variables {
			if _, twice := env[name]; twice {
				v.fault(v.key(path+".secrets."+name), "keep the secret and remove the variable", "%q is both a variable and a secret", name)
				break
			}
		}
	}
}

func (f FileDefinition) target() string {
	if f.To != "" {
		return f.To
	}
	return f.From
}

// host checks the settings that an environment comes to with the defaults under them.
func (v *validator) host(path string, e *EnvironmentDefinition) {
	if e.Host != nil {
		v.sticky(path+".host", e.Host)
	}
	if e.Platform != "" && e.Platform != "host" {
		return
	}
	merged := mergeHost(v.def.Host, e.Host)
	at := v.key(path + ".host")
	if len(merged.Run) == 0 && !v.known("host.run") && !v.known(path+".host.run") {
		v.fault(at, "for instance: host: {run: ./shop -port $PORT}", "the environment %q does not say what to run", e.Name)
	}
	if merged.Listen == "" && !v.known("host.listen") && !v.known(path+".host.listen") {
		v.fault(at, `for instance: host: {listen: "127.0.0.1:8080"}`, "the environment %q does not say where to listen", e.Name)
	}
}

// kubernetes checks what only holds on that platform.
func (v *validator) kubernetes(path string, e *EnvironmentDefinition) {
	if e.Platform != "kubernetes" {
		return
	}
	metrics := v.def.Metrics
	if e.Metrics != nil {
		metrics = *e.Metrics
	}
	judged := len(e.Stages) == 0 || slices.ContainsFunc(e.Stages, func(s StageDefinition) bool { return falseAlarmParts[s.Kind()] > 0 })
	if judged && metrics.Prometheus == nil && !v.known("metrics.prometheus") && !v.known(path+".metrics.prometheus") {
		v.fault(v.key(path+".platform"), "for instance: metrics: {prometheus: {url: \"http://prometheus:9090\", preset: traefik}}",
			"the environment %q compares two versions on Kubernetes, and nothing says where their metrics come from", e.Name)
	}
	for at, c := range map[string]ConfigDefinition{"config": v.def.Config, path + ".config": e.Config} {
		if len(c.Files) > 0 || len(c.Secrets) > 0 {
			v.fault(v.key(at), "put a ConfigMap or a Secret among the manifests; only `env` is set on pods",
				"the environment %q is on Kubernetes, where config files and secrets of this file do not reach pods", e.Name)
		}
	}
	merged := mergeKubernetes(v.def.Kubernetes, e.Kubernetes)
	if m := merged.Manifests; m != nil && (m.Repository == "") != (m.Commit == "") && !v.known("kubernetes.manifests.commit") {
		v.fault(v.key(path+".kubernetes"), "give both, or neither for manifests beside this file", "the manifests of the environment %q have a repository without a commit, or a commit without a repository", e.Name)
	}
	if m := metrics.Prometheus; m != nil && m.Preset != "" && (m.Preset == podsPreset) != (merged.Split == "pods") && metrics.Source == "" {
		v.countsElsewhere(path, e, m)
	}
	if merged.Split == "pods" && merged.Route != (RouteDefinition{}) {
		v.fault(v.key(path+".kubernetes"), "leave out `route`, or `split: pods`", "the environment %q names a route and splits the traffic by pods", e.Name)
	}
}

// git checks the repository that an environment comes to.
func (v *validator) git(path string, e *EnvironmentDefinition) {
	if v.def.Git == nil && e.Git == nil {
		return
	}
	merged := mergeGit(v.def.Git, e.Git)
	switch {
	case e.Platform != "kubernetes":
		v.fault(v.key(path+".git"), "leave `git` out", "the environment %q is on %s, whose artifacts no repository names", e.Name, cmp.Or(e.Platform, "host"))
	case merged.Repository == "" && !v.known("git.repository") && !v.known(path+".git.repository"):
		v.fault(v.key(path+".git"), "for instance: git: {repository: \"https://github.com/acme/deploy.git\", path: apps/shop}", "the environment %q has `git` without a repository", e.Name)
	case merged.Key != "" && merged.Image != "":
		v.fault(v.key(path+".git"), "`key` is for a chart's values, `image` for a kustomization", "the environment %q names both a key and an image in its repository", e.Name)
	}
}

// countsElsewhere refuses a preset that counts by what does not split the traffic.
func (v *validator) countsElsewhere(path string, e *EnvironmentDefinition, m *PrometheusDefinition) {
	r := m.resolved()
	if !asksBy(backendWords, r.Requests, r.Errors, r.Histogram) {
		return // queries of its own take the place of all
	}
	at := "metrics.prometheus.preset"
	if e.Metrics != nil {
		at = path + "." + at
	}
	if m.Preset == podsPreset {
		v.fault(v.key(at), "for instance `app`, for what the pods count themselves", "the preset %q is for `split: pods`, and the environment %q splits the traffic by a route", m.Preset, e.Name)
		return
	}
	v.fault(v.key(at), "use the preset `pods`, or queries that ask by $revision", "the preset %q tells versions apart by their Services, and the environment %q splits the traffic by the pods of one", m.Preset, e.Name)
}

// platforms finds environments that cannot run the same artifact.
func (v *validator) platforms() {
	for i, e := range v.def.Environments {
		first := v.def.Environments[0].Platform
		if first = cmp.Or(first, "host"); cmp.Or(e.Platform, "host") != first {
			v.fault(v.at(fmt.Sprintf("environments[%d].platform", i)), "write a definition for each platform",
				"%q is on %s and %q is on %s, which do not run the same artifact", e.Name, cmp.Or(e.Platform, "host"), v.def.Environments[0].Name, first)
			return
		}
	}
}

// known tells whether something stands at the path, right or wrong.
func (v *validator) known(path string) bool {
	_, ok := v.values[path]
	return ok
}

func (v *validator) sticky(path string, h *HostDefinition) {
	if h.Sticky != nil && (h.Sticky.Cookie == "") == (h.Sticky.Header == "") && v.known(path+".sticky") {
		v.fault(v.key(path+".sticky"), "for instance: sticky: {cookie: shop_arm}", `"sticky" needs a cookie or a header, and only one of them`)
	}
}

// needs checks that every need is an environment before this one.
func (v *validator) needs(names map[string]int) {
	for i, e := range v.def.Environments {
		path := fmt.Sprintf("environments[%d].needs", i)
		seen := map[string]bool{}
		for j, need := range e.Needs {
			at := v.key(needPath(path, j))
			target, known := names[need.Environment]
			switch {
			case need.Environment == "":
			case seen[need.Environment]:
				v.fault(at, "name it once", "%q needs %q twice", e.Name, need.Environment)
			case !known:
				hint := meant(need.Environment, v.before(i), "the environments before it are ", "and")
				if i == 0 {
					hint = "it is the first environment, so it cannot need another"
				}
				v.fault(at, hint,
					"%q needs the environment %q, which does not exist", e.Name, need.Environment)
			case target == i:
				v.fault(at, "name an earlier environment", "%q needs itself", e.Name)
			case target > i && v.reaches(target, i, names):
				v.fault(at, "let only the later environment need the earlier one", "a cycle: %q and %q need each other", e.Name, need.Environment)
			case target > i:
				v.fault(at, "environments are gone through in the order of the file: move it up, or this one down",
					"%q needs %q, which comes after it", e.Name, need.Environment)
			}
			seen[need.Environment] = true
		}
	}
}

func (v *validator) before(i int) []string {
	var names []string
	for _, e := range v.def.Environments[:i] {
		names = append(names, e.Name)
	}
	return names
}

// reaches tells whether the needs lead from one environment to another.
func (v *validator) reaches(from, to int, names map[string]int) bool {
	seen, queue := map[int]bool{from: true}, []int{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if at == to {
			return true
		}
		for _, need := range v.def.Environments[at].Needs {
			if next, ok := names[need.Environment]; ok && !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	return false
}

// listens finds environments that would answer the same requests.
func (v *validator) listens() {
	type user struct {
		name, host, port string
		hosts            []string
	}
	var users []user
	for i, e := range v.def.Environments {
		merged := mergeHost(v.def.Host, e.Host)
		host, port, err := net.SplitHostPort(merged.Listen)
		if err != nil {
			continue
		}
		one := user{e.Name, host, port, merged.Hosts}
		for _, o := range users {
			if o.port == one.port && sameHost(o.host, one.host) && share(o.hosts, one.hosts) {
				v.fault(v.at(fmt.Sprintf("environments[%d].host.listen", i)), "give each environment its own port, or distinct `hosts`",
					"%q listens on %s, where %q listens already", one.name, merged.Listen, o.name)
				break
			}
		}
		users = append(users, one)
	}
}

func sameHost(a, b string) bool {
	normal := func(h string) string {
		switch h {
		case "localhost", "::1":
			return "127.0.0.1"
		case "", "0.0.0.0", "::":
			return "*"
		}
		return h
	}
	a, b = normal(a), normal(b)
	return a == b || a == "*" || b == "*"
}

// share tells whether two lists of host names meet; an empty one is all names.
func share(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return slices.ContainsFunc(a, func(h string) bool { return slices.Contains(b, h) })
}
