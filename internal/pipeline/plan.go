package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// PlanVersion is the newest format of plans. Older ones are brought up to date by
// ReadPlan, so a plan outlives the code that wrote it. Compile writes the oldest format
// that says everything: whoever knows no legs can read a plan without them.
const (
	PlanVersion     = togetherVersion
	plainFormat     = 1
	legVersion      = 2
	togetherVersion = 3
)

// Plan is the pipeline resolved for one release. It never changes once the
// release exists: approvals are bound to its hash.
type Plan struct {
	Version int `json:"version"`
	// Service is the one that is released, or that leads where there are several.
	Service   string    `json:"service"`
	Owner     string    `json:"owner,omitempty"`
	Component Component `json:"component"`
	// With are the components of the other services, in the order in which they go: before
	// the leading one.
	With         []Component   `json:"with,omitempty"`
	Environments []Environment `json:"environments"`
	// Supersede lets a newer release take the place of this one while it queues.
	Supersede bool `json:"supersede,omitempty"`
	// Retreat marks a plan that brings an older release back: like every rollback it
	// is held by no freeze.
	Retreat bool `json:"retreat,omitempty"`
	// Drill marks a plan that ends before the promotion, whatever is found: it shows
	// whether harm would be noticed. Nil for every other one.
	Drill *Drill `json:"drill,omitempty"`
	// ExpectedRate is the traffic to plan with, in requests per second; 0 if not told.
	ExpectedRate float64 `json:"expectedRate,omitempty"`
	// ExpectedErrors is the error rate to plan with, in [0, 1]; 0 if not told.
	ExpectedErrors float64 `json:"expectedErrors,omitempty"`
}

// Drill is harm done on purpose to a canary, and until when. Without it the artifact
// itself is the harm.
type Drill struct {
	Harm *Harm `json:"harm,omitempty"`
	// Of is the release that is at home, and stays there.
	Of string `json:"of"`
	// Until is when the harm ends at the latest.
	Until time.Time `json:"until"`
}

// Harm is what is done to the canary's requests.
type Harm struct {
	// Errors is the share that is answered with an error, in [0, 1].
	Errors float64 `json:"errors,omitempty"`
	// Delay holds every answer back; Slower by this share of the time that it took.
	Delay  Duration `json:"delay,omitempty"`
	Slower float64  `json:"slower,omitempty"`
}

// Component is what is released: one artifact with its config. The same digests
// go through every environment.
type Component struct {
	Service  string `json:"service"`
	Version  string `json:"version,omitempty"`
	Artifact string `json:"artifact"`
	// Digest is the artifact's, "sha256:" and 64 hexadecimal digits.
	Digest string `json:"digest"`
	Config Config `json:"config,omitzero"`
	// ExpectedRate and ExpectedErrors are what the plan says of the leading service, where the
	// component is of another one.
	ExpectedRate   float64 `json:"expectedRate,omitempty"`
	ExpectedErrors float64 `json:"expectedErrors,omitempty"`
}

// Config is what the artifact runs with, the same in every environment; what an
// environment adds stands in its own Config.
type Config struct {
	Env     map[string]string `json:"env,omitempty"`
	Files   []ConfigFile      `json:"files,omitempty"`
	Secrets map[string]string `json:"secrets,omitempty"`
}

// ConfigFile is a config file with its content, as it was when the release was created.
type ConfigFile struct {
	Path    string `json:"path"`
	Content []byte `json:"content"`
}

// Environment is one environment's part of a plan, or that of one of its regions or of one
// service in it: where it goes, under which conditions it begins, and its stages.
type Environment struct {
	// Name is unique in the plan; a region's has a slash, see LegName, and a service's a colon,
	// see EntryName.
	Name   string `json:"name"`
	Region string `json:"region,omitempty"`
	// Service is the entry's, in an environment that several services go to.
	Service string `json:"service,omitempty"`
	// Leg is set where the entry is a part of an environment with several.
	Leg      *Leg   `json:"leg,omitempty"`
	Platform string `json:"platform"`
	// Settings are the platform's, opaque here.
	Settings json.RawMessage `json:"settings,omitempty"`
	// Sealed are the values of Secrets that the settings have digests of, for the worker
	// alone to open. Sealed again they look different, and are the same revision.
	Sealed  string  `json:"sealed,omitempty"`
	Config  Config  `json:"config,omitzero"`
	Metrics Metrics `json:"metrics,omitzero"`
	// Git is the repository that is told what has been proven; nil where there is none.
	Git   *Git   `json:"git,omitempty"`
	Needs []Need `json:"needs,omitempty"`
	// SkipRoles may skip this environment, with a reason. Empty: sre and admin.
	SkipRoles   []string    `json:"skipRoles,omitempty"`
	OnUndecided OnUndecided `json:"onUndecided"`
	// Budget is the false-alarm probability that the judged stages of this environment
	// may spend: its part of the release's, in (0, 1), or 0 where nothing is judged. All
	// regions of an environment share what one environment may spend.
	Budget float64 `json:"falseAlarm"`
	Stages []Stage `json:"stages"`
}

// The names of platforms. Only on Kubernetes can what runs be compared with a plan, object
// by object.
const (
	PlatformHost       = "host"
	PlatformKubernetes = "kubernetes"
)

// Need is a fact about an earlier environment that must hold first: the release
// succeeded there and has run for at least For since.
type Need struct {
	Environment string   `json:"environment"`
	For         Duration `json:"for,omitempty"`
}

// OnUndecided is what an environment does at the end of the observation budget
// when both arms were sampled and there is proof of neither harm nor its absence.
type OnUndecided string

// What to do when undecided; the default is to hold and ask a person.
const (
	UndecidedHold     OnUndecided = "hold"
	UndecidedPromote  OnUndecided = "promote"
	UndecidedRollback OnUndecided = "rollback"
)

// Git is the repository that holds the truth about what should run, and where in it the
// image is written.
type Git struct {
	Repository string `json:"repository"`
	Branch     string `json:"branch"`
	Path       string `json:"path,omitempty"`
	// Key is a value of a chart; Image the image's name in a kustomization; Deployment
	// and Container name it in plain YAML.
	Key        string `json:"key,omitempty"`
	Image      string `json:"image,omitempty"`
	Deployment string `json:"deployment,omitempty"`
	Container  string `json:"container,omitempty"`
	// Token is a reference that the worker resolves.
	Token       string `json:"token,omitempty"`
	PullRequest bool   `json:"pullRequest,omitempty"`
	// Controller updates the home from the repository: "argocd" or "flux". Empty: Fairway does.
	Controller string `json:"controller,omitempty"`
}

// Metrics names the source of samples of an environment.
type Metrics struct {
	// Source is "router" or "prometheus".
	Source     string      `json:"source,omitempty"`
	Prometheus *Prometheus `json:"prometheus,omitempty"`
}

// Prometheus is where and how to read both arms. In the queries $arm, $revision, $backend,
// $namespace, $service, $environment and $region are replaced.
type Prometheus struct {
	URL string `json:"url"`
	// Preset is the name of what the queries that the definition left out were taken from;
	// they stand here, so that the plan means the same when the preset has changed.
	Preset string `json:"preset,omitempty"`
	// Counts selects two counters, the requests and the errors of an arm.
	Requests string `json:"requests"`
	Errors   string `json:"errors"`
	// Histogram selects a classic or native histogram; optional. Unit is what it is in,
	// "milliseconds", or seconds where it is empty.
	Histogram string `json:"histogram,omitempty"`
	Unit      string `json:"unit,omitempty"`
	// Instance is the label that tells the instances of an arm apart, or "none"; pod or
	// instance where it is empty.
	Instance string   `json:"instance,omitempty"`
	Interval Duration `json:"interval,omitempty"`
}

// Kind says what a stage does.
type Kind string

// The kinds of stages. Gate, approval and notify are carried out by the server;
// the others by a worker.
const (
	KindGate     Kind = "gate"
	KindApproval Kind = "approval"
	KindDeploy   Kind = "deploy"
	KindCheck    Kind = "check"
	KindJob      Kind = "job"
	KindCanary   Kind = "canary"
	KindPromote  Kind = "promote"
	KindWatch    Kind = "watch"
	KindNotify   Kind = "notify"
)

// Kinds lists all kinds, in the order in which they usually appear.
var Kinds = []Kind{KindGate, KindApproval, KindJob, KindDeploy, KindCheck, KindCanary, KindWatch, KindPromote, KindNotify}

// Stage is one step of a plan. Exactly the field of its kind is set.
type Stage struct {
	// Name is unique in its environment.
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Service is whose gate or notification it is, where that is not the entry's.
	Service string `json:"service,omitempty"`
	// TimeLimit is how long the stage may take; then it has failed (a canary or watch asks a person).
	TimeLimit Duration `json:"timeLimit"`
	// Undo says, for people, what a rollback does about this stage; empty if nothing.
	Undo string `json:"undo,omitempty"`

	Gate     *Gate     `json:"gate,omitempty"`
	Approval *Approval `json:"approval,omitempty"`
	Deploy   *Deploy   `json:"deploy,omitempty"`
	Check    *Check    `json:"check,omitempty"`
	Job      *Job      `json:"job,omitempty"`
	Canary   *Canary   `json:"canary,omitempty"`
	Promote  *Promote  `json:"promote,omitempty"`
	Watch    *Watch    `json:"watch,omitempty"`
	Notify   *Notify   `json:"notify,omitempty"`
}

// Gate is a condition over evidence, in CEL.
type Gate struct {
	When string `json:"when"`
	// Message tells people what is awaited.
	Message string `json:"message,omitempty"`
}

// Approval asks people. An approval counts once per person, never the release's author.
type Approval struct {
	Roles []string `json:"roles"`
	Count int      `json:"count"`
	// Expires is how long a given approval stays good before the stage is passed.
	Expires Duration `json:"expires"`
}

// Deploy places the revision and gives it all the traffic at once.
type Deploy struct{}

// Check looks at the new revision itself, not at the users' traffic.
type Check struct {
	HTTP    []HTTPCheck `json:"http,omitempty"`
	Command []string    `json:"command,omitempty"`
	Load    *Load       `json:"load,omitempty"`
	// Attempts is how often the whole check may be tried before it has failed, at least 1.
	Attempts int      `json:"attempts"`
	Every    Duration `json:"every"`
}

// HTTPCheck is one request and what its answer must be.
type HTTPCheck struct {
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Headers  map[string]string `json:"headers,omitempty"`
	Body     string            `json:"body,omitempty"`
	Status   int               `json:"status"`
	Contains string            `json:"contains,omitempty"`
	Within   Duration          `json:"within"`
}

// Load is a bounded load on the new revision.
type Load struct {
	Path string `json:"path"`
	// Rate is in requests per second, at most 10,000; For at most 10 minutes.
	Rate float64  `json:"rate"`
	For  Duration `json:"for"`
	// MaxErrors is the highest share of failed requests, in [0, 1].
	MaxErrors float64 `json:"maxErrors"`
	// P99 is the highest 99th percentile of the latency; 0 does not look.
	P99 Duration `json:"p99,omitempty"`
}

// Job is a command that runs once, for instance a migration. Both commands get the
// config and the secrets of the environment, then their own.
type Job struct {
	Command []string          `json:"command"`
	Undo    []string          `json:"undo,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	// Secrets are references, as in a Config.
	Secrets map[string]string `json:"secrets,omitempty"`
}

// Analysis is what the judge is asked. Zero fields mean the judge's defaults.
type Analysis struct {
	// MarginErrors is the difference in error rate that does not matter, in [0, 1] (0.02 is two percentage points).
	MarginErrors float64 `json:"marginErrors,omitempty"`
	// MarginLatency is the relative slowdown that does not matter (0.5 is 50 %).
	MarginLatency float64 `json:"marginLatency,omitempty"`
	// Block is the time over which rates count as constant.
	Block Duration `json:"block,omitempty"`
	// WarmUp is how long an instance's latency is not judged.
	WarmUp Duration `json:"warmUp,omitempty"`
	// SlowerThan is the latency that counts as a bad request for the exposure budget.
	SlowerThan Duration `json:"slowerThan,omitempty"`
	// SLO is the share of good requests promised, in (0, 1).
	SLO float64 `json:"slo,omitempty"`
	// ExposureBudget is how many bad requests one decision may cost.
	ExposureBudget float64 `json:"exposureBudget,omitempty"`
	// MinimumSamples is how many requests each arm needs before onUndecided applies.
	MinimumSamples int64 `json:"minimumSamples,omitempty"`
	// Metrics are the team's own, beside errors and latency.
	Metrics []CustomMetric `json:"metrics,omitempty"`
}

// Canary moves the traffic level by level under the judge.
type Canary struct {
	Analysis
	// FirstWeight is the first share of traffic, in (0, 0.5]; 0 lets the exposure budget say.
	FirstWeight float64 `json:"firstWeight,omitempty"`
	// Every is the least time between two growths; Dwell the least time at the middle level.
	Every Duration `json:"every,omitempty"`
	Dwell Duration `json:"dwell,omitempty"`
	// Observation is how long to look for proof before the canary is undecided.
	Observation Duration `json:"observation,omitempty"`
	// Instances is how many canary instances to start with; 0 starts all of the platform's capacity.
	Instances int `json:"instances,omitempty"`
	// Holdback is the share that stays on stable after the pass, in [0, 0.5]; 0 where no watch follows.
	Holdback float64 `json:"holdback,omitempty"`
	// Audience gets the revision first; nil is nobody.
	Audience *Audience `json:"audience,omitempty"`
}

// Audience are the requests with just this value of a header or of a cookie, and how long
// they alone go to the revision.
type Audience struct {
	Header string   `json:"header,omitempty"`
	Cookie string   `json:"cookie,omitempty"`
	Value  string   `json:"value"`
	For    Duration `json:"for"`
}

// Strategy is how a promotion moves the traffic.
type Strategy string

// The strategies of a promotion.
const (
	// Direct: the revision already has its capacity (after a canary): the rest of the traffic follows.
	Direct Strategy = "direct"
	// BlueGreen: full capacity beside the old, then all traffic at once.
	BlueGreen Strategy = "blue-green"
	// Rolling: capacity and traffic in batches.
	Rolling Strategy = "rolling"
)

// Promote makes the revision the target's home.
type Promote struct {
	Strategy Strategy `json:"strategy"`
	Batches  int      `json:"batches,omitempty"`
	Pause    Duration `json:"pause,omitempty"`
	// Holdback keeps this share on the old revision for a watch that follows; the
	// old one then stays until the plan's last promote.
	Holdback float64 `json:"holdback,omitempty"`
}

// Watch judges on over the bake time, with the holdback on stable as control.
type Watch struct {
	Analysis
	For Duration `json:"for"`
	// MinimumAge is the least age of the revision at the end of the watch, from its
	// first traffic in the environment.
	MinimumAge Duration `json:"minimumAge,omitempty"`
	Holdback   float64  `json:"holdback"`
}

// Notify tells a webhook.
type Notify struct {
	Webhook string `json:"webhook"`
	Message string `json:"message,omitempty"`
}

// Hash is the SHA-256 of the plan as it is stored, in lower-case hexadecimal. Approvals are
// bound to it.
func (p *Plan) Hash() string {
	b, err := p.Encode()
	if err != nil {
		// Every field is a plain value; only a hand-made Settings that is not JSON gets here.
		b = []byte(err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Same tells whether two plans say the same. What is sealed looks different each time, so
// the digests count that the settings have of it.
func (p *Plan) Same(as *Plan) bool { return p.withoutSealed().Hash() == as.withoutSealed().Hash() }

func (p *Plan) withoutSealed() *Plan {
	bare := *p
	bare.Environments = slices.Clone(p.Environments)
	for i := range bare.Environments {
		bare.Environments[i].Sealed = ""
	}
	return &bare
}

// ReadPlan reads a stored plan of any version up to PlanVersion.
func ReadPlan(b []byte) (*Plan, error) {
	p, err := decodePlan(b)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "read plan: %w", err)
	}
	if p.Version < 1 || p.Version > PlanVersion {
		return nil, fault.Errorf(fault.Conflict, "the plan has version %d, this Fairway reads versions 1 to %d", p.Version, PlanVersion).
			WithHint("upgrade Fairway to the version that made the plan, or newer")
	}
	return p, nil
}

// Revision is the ID of what this environment places: the artifact with its
// config, so the same again is the same revision.
func (p *Plan) Revision(e *Environment) string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	c := p.ComponentOf(e)
	_ = enc.Encode(c.Digest)
	_ = enc.Encode(c.Config)
	_ = enc.Encode(e.Config)
	_ = enc.Encode(e.Settings)
	if p.Drill != nil { // what runs already runs once more, as another revision
		_ = enc.Encode(p.Drill)
	}
	return "r-" + hex.EncodeToString(h.Sum(nil))[:12]
}

// Environment returns the environment of that name, or nil.
func (p *Plan) Environment(name string) *Environment {
	for i := range p.Environments {
		if p.Environments[i].Name == name {
			return &p.Environments[i]
		}
	}
	return nil
}

// The parts of its budget of false alarms that an environment's judged stages get. A
// canary has four times a watch's: it is judged with the traffic of few and should end
// soon, while what a watch still finds shows in nearly all of the traffic.
var falseAlarmParts = map[Kind]float64{KindCanary: 4, KindWatch: 1}

// judges tells whether the environment has a judged stage.
func (e *Environment) judges() bool {
	return slices.ContainsFunc(e.Stages, func(s Stage) bool { return falseAlarmParts[s.Kind] > 0 })
}

// FalseAlarm is the chance that a judged stage of the kind may spend on taking a
// healthy release back.
func (e *Environment) FalseAlarm(kind Kind) float64 {
	all := 0.0
	for _, s := range e.Stages {
		all += falseAlarmParts[s.Kind]
	}
	if all == 0 {
		return e.Budget
	}
	return e.Budget * falseAlarmParts[kind] / all
}

// OnWorker tells whether a worker carries the kind out.
func (k Kind) OnWorker() bool {
	switch k {
	case KindGate, KindApproval, KindNotify:
		return false
	}
	return true
}

// Moves tells whether the kind touches the target's capacity or traffic.
func (k Kind) Moves() bool {
	switch k {
	case KindDeploy, KindCanary, KindPromote, KindWatch:
		return true
	}
	return false
}
