package pipeline

import "slices"

// Definition is what a team writes: the decoded fairway.yaml. The comments of its
// fields are the reference manual; docs/reference and the JSON Schema are made from
// them. Parse makes definitions, Compile turns one into the Plan of a release.
type Definition struct {
	// Service is the name of what is released.
	Service string `yaml:"service,required" check:"name" example:"shop"`
	// Owner is the team that answers for the service.
	Owner string `yaml:"owner" example:"team-shop"`
	// Expect is the traffic to plan with: `fairway plan` uses it to say how small a
	// regression each stage can see.
	Expect ExpectDefinition `yaml:"expect"`
	// With are services that may be released together with this one, which needs them: they go
	// first, in this order, each after its own `with`. `fairway ship --with SERVICE=ARTIFACT` puts
	// them into a release; those that it does not name stay as they are. See docs/together.md.
	With []WithDefinition `yaml:"with" min:"1" max:"20" example:"[payments, ledger]"`
	// Supersede lets a newer release take the place of one that still queues.
	Supersede *bool `yaml:"supersede" default:"true"`
	// Config is what the service runs with, the same in every environment.
	Config ConfigDefinition `yaml:"config"`
	// Host is what holds for every environment on the host platform; an environment's own `host` is laid over it.
	Host *HostDefinition `yaml:"host"`
	// Kubernetes is what holds for every environment on Kubernetes; an environment's own `kubernetes` is laid over it.
	Kubernetes *KubernetesDefinition `yaml:"kubernetes"`
	// Git is the repository that holds the truth, for every environment; an environment's own `git` is laid over it.
	Git *GitDefinition `yaml:"git"`
	// Metrics is where the samples of both arms come from, for every environment that does not say so itself.
	Metrics MetricsDefinition `yaml:"metrics"`
	// Environments are gone through in this order.
	Environments []EnvironmentDefinition `yaml:"environments,required" min:"1" max:"50" example:"[{name: production}]"`
}

// WithDefinition is another service that this one needs.
type WithDefinition struct {
	// Service is the other service's name.
	Service string `yaml:"service,required,short" check:"name" example:"payments"`
	// File is its definition, relative to this one. Without it, that of its newest release.
	File string `yaml:"file" example:"../payments/fairway.yaml"`
}

// ExpectDefinition is the traffic that a team expects.
type ExpectDefinition struct {
	// Rate is how many requests arrive.
	Rate Rate `yaml:"rate" max:"10000000/s" example:"200/s"`
	// Errors is the share of requests that fails on an ordinary day.
	Errors Share `yaml:"errors" example:"0.2%"`
}

// ConfigDefinition is what the artifact runs with. What an environment says is
// laid over what holds for all of them.
type ConfigDefinition struct {
	// Env sets variables of the environment.
	Env map[string]string `yaml:"env" keys:"variable" example:"{LOG_LEVEL: info}"`
	// Files are config files whose content is captured when the release is created.
	Files []FileDefinition `yaml:"files" max:"100" example:"[config/app.yaml]"`
	// Secrets sets variables to secrets by reference: `file:` and an absolute path,
	// or `env:` and a variable of the worker. Values never stand here.
	Secrets map[string]string `yaml:"secrets" keys:"variable" check:"secret" example:"{DB_PASSWORD: file:/run/secrets/db}"`
}

// FileDefinition is one config file.
type FileDefinition struct {
	// From is the file in the repository, relative to fairway.yaml.
	From string `yaml:"from,required,short" check:"relative" example:"config/app.yaml"`
	// To is where it is written, relative to the working folder of the service. Without it, the same as `from`.
	To string `yaml:"to" check:"relative" example:"app.yaml"`
}

// MetricsDefinition names the source of samples: the word `router`, or a
// mapping with `prometheus`.
type MetricsDefinition struct {
	// Source is the word `router`: Fairway's own router counts.
	Source string `yaml:",short" enum:"router" default:"router"`
	// Prometheus is a Prometheus server that scrapes both arms.
	Prometheus *PrometheusDefinition `yaml:"prometheus"`
}

// PrometheusDefinition says where and how to read both arms: by a preset, by queries, or by
// a preset with some queries of one's own. In the queries $arm, $revision, $backend and
// $namespace (what the platform sends an arm's traffic to: on Kubernetes the Service),
// $service, $environment and $region are replaced. A query is a selector of counters, or PromQL
// that gives how much there was in $window. See docs/metrics.md.
type PrometheusDefinition struct {
	// URL is the server's address.
	URL string `yaml:"url,required" check:"url" example:"http://prometheus:9090"`
	// Preset names who counts: the gateway, the mesh, or the application itself (`app`, or
	// `pods` where the traffic is split by pods).
	// It has the queries, so that none need be written.
	Preset string `yaml:"preset" enum:"traefik istio envoy-gateway nginx linkerd app pods" example:"traefik"`
	// Requests selects the counter of requests of one arm; a preset has one.
	Requests string `yaml:"requests" check:"query" example:"'http_requests_total{revision=\"$revision\"}'"`
	// Errors selects the counter of failed requests of one arm; a preset has one.
	Errors string `yaml:"errors" check:"query" example:"'http_requests_total{revision=\"$revision\",code=~\"5..\"}'"`
	// Histogram selects a classic or native histogram of the latency.
	Histogram string `yaml:"histogram" check:"query" example:"'http_request_duration_seconds{revision=\"$revision\"}'"`
	// Unit is what `histogram` is in. A preset knows that of its own; without either it is seconds.
	Unit string `yaml:"unit" enum:"seconds milliseconds" example:"milliseconds"`
	// Instance is the label that tells the instances of a version apart; `none` says that
	// nothing does, as of most gateways. Without it, and without a preset, it is pod, or
	// instance where there is no pod.
	Instance string `yaml:"instance" check:"variable" example:"pod"`
	// Interval is the time between two looks; the scrape interval is a good choice. It is the
	// length of $window, where a query has that.
	Interval Duration `yaml:"interval" default:"15s" min:"1s" max:"5m"`
}

// EnvironmentDefinition is one environment that a release goes through.
type EnvironmentDefinition struct {
	// Name is the environment's name.
	Name string `yaml:"name,required" check:"name" example:"production"`
	// Region is a place inside the environment, where it has several.
	Region string `yaml:"region" check:"name" example:"eu-west"`
	// Regions are the places inside the environment, in their order, where a release goes to
	// each by itself. What an entry says beside its name is laid over what the environment says.
	Regions []RegionDefinition `yaml:"regions" min:"1" max:"500" example:"[eu-west-1, us-east-1, us-west-2]"`
	// Waves are the regions that a release goes to at the same time: a region, or a list of
	// them; `rest` at the end is all others. A wave begins when the one before has succeeded
	// everywhere. Without it each region is a wave, in the order of `regions`.
	Waves []WaveDefinition `yaml:"waves" min:"1" max:"500" example:"[eu-west-1, [us-east-1, us-west-2], rest]"`
	// Bake is how long a release must have run in all regions of a wave before the next begins.
	Bake Duration `yaml:"bake" max:"30d" example:"30m"`
	// TakeBack says what happens to earlier waves when a region fails: `all` takes them back,
	// `wave` leaves them as they are, `ask` asks a person. Its own wave is always taken back.
	TakeBack string `yaml:"takeBack" enum:"wave all ask" default:"all"`
	// Platform is where the service runs.
	Platform string `yaml:"platform" enum:"host kubernetes" default:"host"`
	// Needs lists earlier environments in which the release must have succeeded
	// first, each with the time that it must have run there since: `[staging]` or `{staging: 30m}`.
	Needs Needs `yaml:"needs" example:"{staging: 30m}"`
	// Skip says who may skip this environment, with a reason.
	Skip SkipDefinition `yaml:"skip"`
	// OnUndecided is what happens when there is proof of neither harm nor its absence.
	OnUndecided string `yaml:"onUndecided" enum:"hold promote rollback" default:"hold"`
	// FalseAlarm is the probability with which a healthy release may be taken back by
	// mistake. It is a budget for the whole release: each environment with a canary or a
	// watch gets it divided by the number of those environments.
	FalseAlarm Share `yaml:"falseAlarm" default:"0.5%" min:"0.001%" max:"20%"`
	// Config is laid over the config that holds for all environments.
	Config ConfigDefinition `yaml:"config"`
	// Metrics is where the samples of this environment come from.
	Metrics *MetricsDefinition `yaml:"metrics"`
	// Host are the settings of the host platform, laid over those that hold for all environments.
	Host *HostDefinition `yaml:"host"`
	// Kubernetes are the settings of the Kubernetes platform, laid over those that hold for all environments.
	Kubernetes *KubernetesDefinition `yaml:"kubernetes"`
	// Git is the repository that holds the truth about this environment, laid over the common one.
	Git *GitDefinition `yaml:"git"`
	// Stages are gone through in this order. Without them: canary, watch, promote.
	// A stage is a mapping with one kind and optionally `name` and `timeLimit`, or
	// only the kind's word where it needs no settings.
	Stages []StageDefinition `yaml:"stages" min:"1" max:"50" example:"[deploy]"`
}

// RegionDefinition is a region of an environment, and where it differs.
type RegionDefinition struct {
	// Name is the region's name.
	Name string `yaml:"name,required,short" check:"name" example:"eu-west-1"`
	// Config is laid over the environment's.
	Config ConfigDefinition `yaml:"config"`
	// Metrics is where the samples of this region come from, if not from where the environment's do.
	Metrics *MetricsDefinition `yaml:"metrics"`
	// Host are settings of the host platform, laid over the environment's.
	Host *HostDefinition `yaml:"host"`
}

// SkipDefinition says who may skip an environment.
type SkipDefinition struct {
	// Roles may skip the environment.
	Roles []string `yaml:"roles" default:"[sre, admin]" enum:"viewer developer release-manager sre security qa product-owner support admin" min:"1" example:"[sre]"`
}

// HostDefinition is a service on the host platform: processes behind Fairway's router.
type HostDefinition struct {
	// Run is the command that starts one instance: text, split as a shell would
	// (quotes, nothing else), or a list. $PORT, $HOST and $ARTIFACT are replaced when it starts.
	Run CommandLine `yaml:"run" example:"./shop -port $PORT"`
	// Listen is the router's address for users.
	Listen string `yaml:"listen" check:"listen" example:"\"127.0.0.1:8080\""`
	// Hosts restricts the service to requests with these host names; none means all.
	Hosts []string `yaml:"hosts" check:"host" example:"[shop.example.com]"`
	// Ready says how an instance shows that it can serve: a path, or a mapping.
	Ready ReadyDefinition `yaml:"ready"`
	// Instances is how many copies run.
	Instances int `yaml:"instances" default:"1" min:"1" max:"256"`
	// StopTimeout is how long an instance may take to end after SIGTERM before it is killed.
	StopTimeout Duration `yaml:"stopTimeout" default:"10s" min:"1ms" max:"1h"`
	// Drain is how long a retired revision may go on answering the requests that it has.
	Drain *Duration `yaml:"drain" default:"30s" max:"1h"`
	// Env sets variables for the processes; $PORT, $HOST and $ARTIFACT are replaced in their values.
	Env map[string]string `yaml:"env" keys:"variable" example:"{ADDRESS: \":$PORT\"}"`
	// Sticky keeps a user on the arm that answered first.
	Sticky *StickyDefinition `yaml:"sticky"`
}

// ReadyDefinition is the readiness check: GET on the instance.
type ReadyDefinition struct {
	// Path is asked for.
	Path string `yaml:"path,short" check:"path" default:"/" example:"/healthz"`
	// Status is the answer that counts as ready. Without it, any from 200 to 299.
	Status int `yaml:"status" min:"200" max:"599" example:"200"`
	// Timeout is how long an instance may take, from its start, to become ready.
	Timeout Duration `yaml:"timeout" default:"30s" min:"1ms" max:"1h"`
	// Interval is the time between two checks.
	Interval Duration `yaml:"interval" default:"200ms" min:"10ms" max:"1m"`
}

// StickyDefinition tells users apart by a cookie or by a header, not both.
type StickyDefinition struct {
	// Cookie is the name of the cookie, which the router sets where it is missing.
	Cookie string `yaml:"cookie" check:"token" example:"shop_arm"`
	// Header is the name of a header that clients send.
	Header string `yaml:"header" check:"token" example:"X-User"`
}

// Files lists the config files that the definition names, each once, relative to
// where it stands: who ships reads them and gives their contents to Compile.
func (d *Definition) Files() []string {
	var from []string
	for _, f := range d.Config.Files {
		from = append(from, f.From)
	}
	for _, e := range d.Environments {
		for _, f := range e.Config.Files {
			from = append(from, f.From)
		}
		for _, r := range e.Regions {
			for _, f := range r.Config.Files {
				from = append(from, f.From)
			}
		}
	}
	slices.Sort(from)
	return slices.Compact(from)
}
