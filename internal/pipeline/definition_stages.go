package pipeline

// StageDefinition is one stage: exactly one kind, and what all kinds share.
type StageDefinition struct {
	// Name is unique in its environment. Without it, the kind's word, with a number where that is taken.
	Name string `yaml:"name" check:"name" example:"migrate"`
	// TimeLimit is how long the stage may take. Each kind has its own default.
	TimeLimit Duration `yaml:"timeLimit" min:"1s" max:"90d" example:"30m"`

	// Gate waits for evidence. Time limit: 7 days.
	Gate *GateDefinition `yaml:"gate,kind"`
	// Approval waits for people. Time limit: 7 days.
	Approval *ApprovalDefinition `yaml:"approval,kind"`
	// Deploy places the revision and gives it all the traffic at once. Time limit: 10 minutes.
	Deploy *DeployDefinition `yaml:"deploy,kind"`
	// Check looks at the new revision itself, not at the users' traffic. Time limit: 5 minutes and the load's time.
	Check *CheckDefinition `yaml:"check,kind"`
	// Job runs a command once, for instance a migration. Time limit: 30 minutes.
	Job *JobDefinition `yaml:"job,kind"`
	// Canary moves the traffic level by level, as the judge allows. Time limit: the observation and 30 minutes; then it asks a person.
	Canary *CanaryDefinition `yaml:"canary,kind"`
	// Watch judges on over the bake time, with a share of the traffic on the old revision as control. Time limit: its time and 30 minutes; then it asks a person.
	Watch *WatchDefinition `yaml:"watch,kind"`
	// Promote makes the new revision the one that stays. At the end of an environment
	// with a canary it may be left out. Time limit: 10 minutes and the pauses.
	Promote *PromoteDefinition `yaml:"promote,kind"`
	// Notify posts a message to a webhook. Time limit: 1 minute.
	Notify *NotifyDefinition `yaml:"notify,kind"`
}

// GateDefinition is a condition over evidence.
type GateDefinition struct {
	// When is the condition, in CEL. It knows `evidence`, `latest`, `release`, `environments`, `drift` and `now`.
	When string `yaml:"when,required,short" check:"cel" example:"'latest.tests.status == \"passed\"'"`
	// Message tells people what is awaited.
	Message string `yaml:"message" example:"the test report of the nightly run"`
}

// ApprovalDefinition asks people. The author of a release never counts.
type ApprovalDefinition struct {
	// Roles may approve.
	Roles []string `yaml:"roles,required,short" min:"1" enum:"viewer developer release-manager sre security qa product-owner support admin" example:"[release-manager]"`
	// Count is how many different people must approve.
	Count int `yaml:"count" default:"1" min:"1" max:"20"`
	// Expires is how long a given approval stays good before the stage is passed.
	Expires Duration `yaml:"expires" default:"7d" min:"1m" max:"90d"`
}

// DeployDefinition has no settings.
type DeployDefinition struct{}

// CheckDefinition looks at the new revision: at least one of `http`, `run` and `load`.
type CheckDefinition struct {
	// HTTP are requests with the answers that they must get.
	HTTP []HTTPCheckDefinition `yaml:"http" min:"1" max:"100" example:"[{path: /healthz}]"`
	// Run is a command that must end with 0.
	Run CommandLine `yaml:"run" example:"./smoke-test"`
	// Load is a bounded load.
	Load *LoadDefinition `yaml:"load"`
	// Attempts is how often the whole check may be tried before it has failed.
	Attempts int `yaml:"attempts" default:"3" min:"1" max:"100"`
	// Every is the time between two attempts.
	Every Duration `yaml:"every" default:"5s" max:"1h"`
}

// HTTPCheckDefinition is one request and what its answer must be.
type HTTPCheckDefinition struct {
	// Method is the request's method.
	Method string `yaml:"method" default:"GET" enum:"GET HEAD POST PUT PATCH DELETE OPTIONS"`
	// Path is asked for, on the new revision.
	Path string `yaml:"path,required,short" check:"path" example:"/healthz"`
	// Headers are sent along.
	Headers map[string]string `yaml:"headers" keys:"token" example:"{Accept: application/json}"`
	// Body is sent along.
	Body string `yaml:"body" example:"'{\"item\": 1}'"`
	// Status is the status that the answer must have.
	Status int `yaml:"status" default:"200" min:"200" max:"599"`
	// Contains is text that must occur in the answer's body.
	Contains string `yaml:"contains" example:"ok"`
	// Within is how long the answer may take.
	Within Duration `yaml:"within" default:"5s" min:"1ms" max:"5m"`
}

// LoadDefinition is a bounded load on the new revision.
type LoadDefinition struct {
	// Path is asked for, on the new revision.
	Path string `yaml:"path" check:"path" default:"/" example:"/healthz"`
	// Rate is how many requests are sent.
	Rate Rate `yaml:"rate,required" min:"1/min" max:"10000/s" example:"100/s"`
	// For is how long.
	For Duration `yaml:"for" default:"30s" min:"1s" max:"10m"`
	// MaxErrors is the highest share of failed requests.
	MaxErrors Share `yaml:"maxErrors" example:"1%"`
	// P99 is the highest 99th percentile of the latency. Without it, the latency is not looked at.
	P99 Duration `yaml:"p99" min:"1ms" max:"5m" example:"300ms"`
}

// JobDefinition is a command that runs once, also when its worker is killed. Only if
// its machine is lost with it and another one takes over does it begin anew there.
type JobDefinition struct {
	// Run is the command: text, split as a shell would, or a list. It runs in the folder
	// of an artifact that lies on the worker's machine, else in an empty one of its own.
	Run CommandLine `yaml:"run,required,short" example:"./migrate up"`
	// Undo is the command that a rollback runs, within the stage's `timeLimit` and at least 5 minutes.
	Undo CommandLine `yaml:"undo" example:"./migrate down"`
	// Env sets variables for both commands, beside the environment's config and secrets.
	Env map[string]string `yaml:"env" keys:"variable" example:"{VERBOSE: \"1\"}"`
	// Secrets sets variables for both commands to secrets by reference, as in `config`.
	Secrets map[string]string `yaml:"secrets" keys:"variable" check:"secret" example:"{ADMIN_PASSWORD: file:/run/secrets/db-admin}"`
}

// AnalysisDefinition is what the judge is asked. What is left out is the judge's default.
type AnalysisDefinition struct {
	// Margin is the difference between both arms that does not matter.
	Margin MarginDefinition `yaml:"margin"`
	// Budget is how many bad requests one decision may cost.
	Budget float64 `yaml:"budget" min:"1" max:"1000000000" example:"200"`
	// Block is the time over which rates count as constant.
	Block Duration `yaml:"block" min:"1s" max:"1h" example:"1m"`
	// WarmUp is how long the latency of a new instance is not judged.
	WarmUp Duration `yaml:"warmUp" min:"1ms" max:"1h" example:"90s"`
	// SlowerThan is the latency from which a request counts as a bad one for the budget.
	SlowerThan Duration `yaml:"slowerThan" min:"1ms" max:"10m" example:"500ms"`
	// SLO is the share of good requests that is promised.
	SLO Share `yaml:"slo" min:"1%" max:"99.9999%" example:"99.5%"`
	// MinimumSamples is how many requests each arm needs before `onUndecided` applies.
	MinimumSamples int64 `yaml:"minimumSamples" min:"1" max:"1000000000" example:"1000"`
	// Metrics are the team's own, beside errors and latency. They need `prometheus`.
	Metrics []CustomMetricDefinition `yaml:"metrics" min:"1" max:"10" example:"[{name: checkout-failures, bad: …, of: …}]"`
}

// MarginDefinition is how much worse the new revision may be.
type MarginDefinition struct {
	// Errors is in percentage points of the error rate. Without it, a fifth of the
	// errors that the slo leaves (99.5% where that is left out, too).
	Errors Points `yaml:"errors" min:"0.001pp" max:"50pp" example:"2pp"`
	// Latency is the relative slowdown. Without it, 20%. With it, half as many more slow
	// answers as `errors` allows failed ones do not matter either.
	Latency Share `yaml:"latency" min:"0.1%" max:"1000%" example:"50%"`
}

// CanaryDefinition moves the traffic level by level under the judge.
type CanaryDefinition struct {
	AnalysisDefinition `yaml:",inline"`
	// FirstWeight is the first share of traffic. Without it, the budget says.
	FirstWeight Share `yaml:"firstWeight" min:"0.0001%" max:"50%" example:"1%"`
	// Every is the least time between two growths of the weight.
	Every Duration `yaml:"every" default:"45s" min:"1s" max:"24h"`
	// Dwell is the least time at the middle level, half of the traffic.
	Dwell Duration `yaml:"dwell" default:"1m" min:"1s" max:"7d"`
	// Observation is how long to look for proof before the canary is undecided.
	Observation Duration `yaml:"observation" default:"1h" min:"10s" max:"30d"`
	// Instances is how many canary instances start; more follow in proportion to the
	// traffic. Without it all do: many instances even out each other's noise, so harm is
	// found with less traffic.
	Instances int `yaml:"instances" min:"1" max:"256" example:"1"`
	// Audience gets the new revision before anybody else does, on Kubernetes with a route.
	Audience *AudienceDefinition `yaml:"audience"`
}

// AudienceDefinition chooses requests by a header or a cookie. For a time they alone go to
// the new revision, which is not judged meanwhile: those who ask for something new are no
// random sample. Then the choice ends, and the first weight follows.
type AudienceDefinition struct {
	// Header is one that the requests have, with its value.
	Header string `yaml:"header" example:"'X-Canary: yes'"`
	// Cookie is one that they have, with its value.
	Cookie string `yaml:"cookie" example:"beta=1"`
	// For is how long the canary waits for them.
	For Duration `yaml:"for" default:"10m" min:"1s" max:"7d"`
}

// WatchDefinition judges on over the bake time. What it leaves out of the
// analysis is as the canary before it says.
type WatchDefinition struct {
	AnalysisDefinition `yaml:",inline"`
	// For is the bake time.
	For Duration `yaml:"for,short" default:"10m" min:"1s" max:"30d"`
	// MinimumAge is how old the new revision must be, from its first traffic in the
	// environment, before the watch may end: what leaks needs time to show. Default 30m
	// where `for` is left out, else nothing.
	MinimumAge Duration `yaml:"minimumAge" min:"1s" max:"30d" example:"1h"`
	// Holdback is the share of traffic that stays on the old revision as control. Without
	// it, 5 %; where `expect` tells that there is little traffic, enough for about five bad
	// requests in the time of the watch, at most 50 %.
	Holdback *Share `yaml:"holdback" max:"50%" example:"5%"`
}

// PromoteDefinition says how the new revision becomes the one that stays.
type PromoteDefinition struct {
	// Strategy is `direct` after a canary. Elsewhere `blue-green` brings the full
	// capacity up beside the old one and then moves all traffic at once, and
	// `rolling` moves both in batches.
	Strategy string `yaml:"strategy,short" enum:"direct blue-green rolling" example:"rolling"`
	// Batches is how many steps a rolling promotion has. Default 4.
	Batches int `yaml:"batches" min:"2" max:"100" example:"4"`
	// Pause is the time between two batches of a rolling promotion. Default 30s.
	Pause Duration `yaml:"pause" min:"1ms" max:"24h" example:"30s"`
}

// NotifyDefinition tells a webhook.
type NotifyDefinition struct {
	// Webhook is the address that a JSON message is posted to.
	Webhook string `yaml:"webhook,required,short" check:"url" example:"https://chat.example.com/hook"`
	// Message is the text. Without it, a sentence about the release.
	Message string `yaml:"message" example:"shop is live"`
}

// Kind returns the kind that is set. A parsed definition has exactly one.
func (s StageDefinition) Kind() Kind {
	switch {
	case s.Gate != nil:
		return KindGate
	case s.Approval != nil:
		return KindApproval
	case s.Deploy != nil:
		return KindDeploy
	case s.Check != nil:
		return KindCheck
	case s.Job != nil:
		return KindJob
	case s.Canary != nil:
		return KindCanary
	case s.Watch != nil:
		return KindWatch
	case s.Promote != nil:
		return KindPromote
	case s.Notify != nil:
		return KindNotify
	}
	return ""
}
