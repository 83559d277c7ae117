package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Request is the release that a definition is compiled for.
type Request struct {
	// Version is what people call it; it may be empty.
	Version string
	// Artifact is where the worker finds it; Digest is "sha256:" and 64 hexadecimal digits.
	Artifact, Digest string
	// Files are the contents of the config files, by the names in Definition.Files.
	Files map[string][]byte
	// Manifests are the rendered objects, by environment, for those that name manifests.
	Manifests map[string][]json.RawMessage
	// Sealed are the values of the Secrets among them, by environment, for the worker alone
	// to open.
	Sealed map[string]string
	// With are the other services of the release, in any order.
	With []ComponentRequest
	// Only leads the release through these environments and no others; empty means all.
	// Skip leaves these out. What an environment needs stays in the plan also where
	// the needed environment is left out.
	Only, Skip []string
}

// maxConfigFile bounds a config file: it is kept with every release.
const maxConfigFile = 1 << 20

// defaultStages is what an environment without stages goes through.
var defaultStages = []StageDefinition{{Canary: &CanaryDefinition{}}, {Watch: &WatchDefinition{}}, {Promote: &PromoteDefinition{}}}

// Compile resolves a definition from Parse for one release. The plan names every
// default, so that it means the same tomorrow. All faults of the request come
// back in one error with the code fault.Invalid.
func Compile(def *Definition, in Request) (*Plan, error) {
	plan, err := compileAll(def, in)
	if err != nil {
		return nil, err
	}
	shareBudget(plan.Environments)
	return plan, nil
}

// compileAlone resolves a definition without the other services of the release.
func compileAlone(def *Definition, in Request) (*Plan, error) {
	c := compiler{def: def, in: in}
	c.checkArtifact()
	plan := &Plan{
		Version: plainFormat, Service: def.Service, Owner: def.Owner,
		Supersede:    def.Supersede == nil || *def.Supersede,
		ExpectedRate: float64(def.Expect.Rate), ExpectedErrors: float64(def.Expect.Errors),
		Component: Component{
			Service: def.Service, Version: in.Version, Artifact: in.Artifact, Digest: in.Digest,
			Config: c.config(def.Config),
		},
	}
	for _, e := range c.environments() {
		if len(e.Regions) > 0 {
			plan.Version = legVersion
			plan.Environments = append(plan.Environments, c.legs(e)...)
			continue
		}
		plan.Environments = append(plan.Environments, c.environment(e))
	}
	if len(c.faults) > 0 {
		return nil, c.err()
	}
	return plan, nil
}

// compiler gathers the faults of a request.
type compiler struct {
	def    *Definition
	in     Request
	faults []*fault.Error
}

func (c *compiler) fault(hint, format string, args ...any) {
	c.faults = append(c.faults, fault.Errorf(fault.Invalid, format, args...).WithHint("%s", hint))
}

func (c *compiler) err() error {
	if len(c.faults) == 1 {
		return c.faults[0]
	}
	var all []error
	for _, f := range c.faults {
		all = append(all, fmt.Errorf("%s (%s)", f.Message, f.Hint))
	}
	return fault.Errorf(fault.Invalid, "%w", errors.Join(all...)).WithHint("mend these %d and ship again", len(all))
}

var digestRegexp = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (c *compiler) checkArtifact() {
	if strings.TrimSpace(c.in.Artifact) == "" {
		c.fault("name the build output, for instance: fairway ship --artifact ./shop", "the release has no artifact")
	}
	switch {
	case c.in.Digest == "":
		c.fault("it is \"sha256:\" and the output of sha256sum", "the artifact has no digest")
	case !digestRegexp.MatchString(c.in.Digest):
		c.fault("it is \"sha256:\" and 64 lower-case hexadecimal digits, the output of sha256sum", "%q is not a digest", c.in.Digest)
	}
}

// environments picks those that the release goes through.
func (c *compiler) environments() []EnvironmentDefinition {
	var names []string
	for _, e := range c.def.Environments {
		names = append(names, e.Name)
	}
	for _, name := range slices.Concat(c.in.Only, c.in.Skip) {
		if !slices.Contains(names, name) {
			c.fault(meant(name, names, "the environments are ", "and"), "there is no environment %q", name)
		}
	}
	var through []EnvironmentDefinition
	for _, e := range c.def.Environments {
		if (len(c.in.Only) == 0 || slices.Contains(c.in.Only, e.Name)) && !slices.Contains(c.in.Skip, e.Name) {
			through = append(through, e)
		}
	}
	if len(through) == 0 && len(c.faults) == 0 {
		c.fault("leave at least one of "+list(names, "and"), "the release goes through no environment")
	}
	return through
}

// config captures the contents of the config files.
func (c *compiler) config(def ConfigDefinition) Config {
	config := Config{Env: maps.Clone(def.Env), Secrets: maps.Clone(def.Secrets)}
	for _, f := range def.Files {
		content, ok := c.in.Files[f.From]
		switch {
		case !ok:
			c.fault("ship from the folder of fairway.yaml, or correct the path", "the config file %q was not given", f.From)
		case len(content) > maxConfigFile:
			c.fault("put large data into the artifact", "the config file %q has %d bytes, more than %d", f.From, len(content), maxConfigFile)
		}
		config.Files = append(config.Files, ConfigFile{Path: f.target(), Content: content})
	}
	return config
}

func (c *compiler) environment(def EnvironmentDefinition) Environment {
	fillDefaults(&def)
	return Environment{
		Name: def.Name, Region: def.Region, Platform: def.Platform,
		Settings:    c.settings(def),
		Sealed:      c.in.Sealed[def.Name],
		Config:      c.config(def.Config),
		Metrics:     compileMetrics(c.def.Metrics, def.Metrics),
		Git:         c.compileGit(def),
		Needs:       slices.Clone(def.Needs),
		SkipRoles:   slices.Clone(def.Skip.Roles),
		OnUndecided: OnUndecided(def.OnUndecided),
		Budget:      float64(def.FalseAlarm),
		Stages:      c.compileStages(def, c.def.Expect),
	}
}

// compileStages resolves the stages; those that end with the repository have time for it.
func (c *compiler) compileStages(def EnvironmentDefinition, expect ExpectDefinition) []Stage {
	stages := compileStages(def.Stages, expect)
	git := c.compileGit(def)
	own := slices.ContainsFunc(def.Stages, func(s StageDefinition) bool {
		return s.TimeLimit > 0 && (s.Promote != nil || s.Deploy != nil)
	})
	if git == nil || own {
		return stages
	}
	for i := range stages {
		if k := stages[i].Kind; k == KindPromote || k == KindDeploy {
			stages[i].TimeLimit += git.patience()
		}
	}
	return stages
}

// settings are those of the environment's platform.
func (c *compiler) settings(def EnvironmentDefinition) json.RawMessage {
	if def.Platform == "kubernetes" {
		return c.kubernetesSettings(def)
	}
	return hostSettings(mergeHost(c.def.Host, def.Host))
}

// shareBudget leaves each environment that judges its part of the false alarms, and
// the others none: a release goes through all of them, and each is one more chance to
// take it back by mistake.
func shareBudget(environments []Environment) {
	judges := map[string]int{} // by environment, the number of entries that judge
	for i := range environments {
		if e := &environments[i]; e.judges() {
			judges[e.In()]++
		}
	}
	for i := range environments {
		if e := &environments[i]; e.judges() {
			e.Budget /= float64(len(judges) * judges[e.In()])
		} else {
			e.Budget = 0
		}
	}
}

func compileMetrics(all MetricsDefinition, own *MetricsDefinition) Metrics {
	if own != nil {
		all = *own
	}
	if all.Prometheus == nil {
		return Metrics{Source: "router"}
	}
	p := all.Prometheus.resolved()
	fillDefaults(&p)
	if p.Unit == "seconds" {
		p.Unit = "" // said or not, it is the same plan
	}
	return Metrics{Source: "prometheus", Prometheus: &Prometheus{
		URL: p.URL, Preset: p.Preset, Requests: p.Requests, Errors: p.Errors, Histogram: p.Histogram, Unit: p.Unit,
		Instance: p.Instance, Interval: p.Interval,
	}}
}

// hostPlan is HostDefinition as the host platform reads it from a plan.
type hostPlan struct {
	Run         []string          `json:"run"`
	Listen      string            `json:"listen"`
	Hosts       []string          `json:"hosts,omitempty"`
	Ready       readyPlan         `json:"ready"`
	Instances   int               `json:"instances"`
	StopTimeout Duration          `json:"stopTimeout"`
	Drain       Duration          `json:"drain"`
	Env         map[string]string `json:"env,omitempty"`
	Sticky      *stickyPlan       `json:"sticky,omitempty"`
}

type readyPlan struct {
	Path     string   `json:"path"`
	Status   int      `json:"status,omitempty"`
	Timeout  Duration `json:"timeout"`
	Interval Duration `json:"interval"`
}

type stickyPlan struct {
	Cookie string `json:"cookie,omitempty"`
	Header string `json:"header,omitempty"`
}

func hostSettings(h HostDefinition) json.RawMessage {
	fillDefaults(&h)
	plan := hostPlan{
		Run: h.Run, Listen: h.Listen, Hosts: h.Hosts, Ready: readyPlan(h.Ready), Instances: h.Instances,
		StopTimeout: h.StopTimeout, Drain: *h.Drain, Env: h.Env, Sticky: (*stickyPlan)(h.Sticky),
	}
	b, err := json.Marshal(plan)
	if err != nil {
		// Text, numbers, lists and maps of text always become JSON.
		panic("pipeline: host settings: " + err.Error())
	}
	return b
}

// mergeHost lays an environment's settings over those for all; either may be nil.
func mergeHost(all, own *HostDefinition) HostDefinition {
	var h HostDefinition
	for _, layer := range []*HostDefinition{all, own} {
		if layer == nil {
			continue
		}
		replace(&h.Run, layer.Run, len(layer.Run) > 0)
		replace(&h.Listen, layer.Listen, layer.Listen != "")
		replace(&h.Hosts, layer.Hosts, layer.Hosts != nil)
		replace(&h.Ready.Path, layer.Ready.Path, layer.Ready.Path != "")
		replace(&h.Ready.Status, layer.Ready.Status, layer.Ready.Status != 0)
		replace(&h.Ready.Timeout, layer.Ready.Timeout, layer.Ready.Timeout != 0)
		replace(&h.Ready.Interval, layer.Ready.Interval, layer.Ready.Interval != 0)
		replace(&h.Instances, layer.Instances, layer.Instances != 0)
		replace(&h.StopTimeout, layer.StopTimeout, layer.StopTimeout != 0)
		replace(&h.Drain, layer.Drain, layer.Drain != nil)
		replace(&h.Sticky, layer.Sticky, layer.Sticky != nil)
		if len(layer.Env) > 0 {
			env := maps.Clone(h.Env)
			if env == nil {
				env = map[string]string{}
			}
			maps.Copy(env, layer.Env)
			h.Env = env
		}
	}
	return h
}

func replace[T any](target *T, value T, isSet bool) {
	if isSet {
		*target = value
	}
}
