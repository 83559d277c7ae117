package judge

import (
	"errors"
	"math"
	"reflect"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Settings are everything that a verdict depends on besides the samples and the
// calibration. They are part of a frozen plan. Start from DefaultSettings.
type Settings struct {
	// FalseAlarm is α, the chance that this judge ever takes a healthy canary
	// back. By default a plan shares 0.005 among the judges of a release.
	FalseAlarm float64 `json:"falseAlarm"`
	// FalseProof is the chance that a canary exactly at the promotion margin is
	// called non-inferior, per metric.
	FalseProof float64 `json:"falseProof"`

	Errors  Margin `json:"errors"`
	Latency Margin `json:"latency"`
	// IdlePerHour is how many bad requests an hour are never material for a
	// promotion, whatever the margin; it matters where there is little traffic.
	IdlePerHour float64 `json:"idlePerHour"`

	// Block is the least time over which rates and noise count as constant, and
	// the length of a slice of evidence. The noise of real services lasts about a
	// minute: blocks under 30 s suit synthetic traffic only (see Warnings).
	Block time.Duration `json:"block"`
	// MaxBlock and BlockEvents prolong blocks of quiet services: a block ends at
	// the first slice end with BlockEvents bad requests in both arms, at the latest after MaxBlock.
	MaxBlock    time.Duration `json:"maxBlock"`
	BlockEvents float64       `json:"blockEvents"`
	// Clip is the most that one slice may add to the log evidence, so that one
	// burst cannot convict; catastrophes are exempt.
	Clip float64 `json:"clip"`
	// NoiseShare scales the calibrated τ² to what the predictive law uses.
	NoiseShare float64 `json:"noiseShare"`
	// InstanceWidth is how many standard deviations of the lasting differences
	// between instances are granted as not the release's fault.
	InstanceWidth float64 `json:"instanceWidth"`
	// OnsetHorizon is the time over which harm is expected to begin, if it does not at once.
	OnsetHorizon time.Duration `json:"onsetHorizon"`

	// ErrorShare is the errors' part of the evidence; latency has the rest. Custom
	// metrics have theirs before the two.
	ErrorShare float64 `json:"errorShare"`

	// Suspicious and SuspiciousEffect are the evidence, and the undiluted evidence
	// of a single effect, from which the growth is slowed; Stop is where it ends.
	Suspicious       float64 `json:"suspicious"`
	SuspiciousEffect float64 `json:"suspiciousEffect"`
	Stop             float64 `json:"stop"`

	// Middle is the weight at which the proof is made, Dwell the least time there.
	Middle float64       `json:"middle"`
	Dwell  time.Duration `json:"dwell"`
	// Observation is when a canary without proof is undecided.
	Observation time.Duration `json:"observation"`
	// MinimumRequests is what each arm needs before a canary may be called undecided.
	MinimumRequests int64 `json:"minimumRequests"`
	// Stale is how long the judge may be without a sample before it says so.
	Stale time.Duration `json:"stale"`
	// Watch makes the judge one of a watch that lasts so long; 0 is a canary.
	Watch time.Duration `json:"watch,omitempty"`

	// SlowerThan is the latency above which a request counts against the exposure
	// budget; 0 counts errors only.
	SlowerThan time.Duration `json:"slowerThan,omitempty"`
	// SLO is the promised share of good requests.
	SLO    float64 `json:"slo"`
	Growth Growth  `json:"growth"`

	// Custom are the team's own metrics, beside errors and latency.
	Custom []CustomMetric `json:"custom,omitempty"`
}

// Margin is how much worse a canary may be. A difference within Regression is
// never a reason for a rollback; one beyond Promotion never passes. Between the
// two a release may go either way, and the gap makes sure that it goes.
type Margin struct {
	Regression Allowance `json:"regression"`
	Promotion  Allowance `json:"promotion"`
}

// Allowance is the rate allowed beside a stable rate λ: Ratio·λ + Add. For
// latency Ratio is a slowdown of the whole distribution: 1.03 allows 3 % slower
// answers, which is 1.03^s times the requests above a threshold where the
// survival function falls with a local log-log slope of s.
type Allowance struct {
	Ratio float64 `json:"ratio"`
	Add   float64 `json:"add"`
}

// ErrorMargin is the margin for "a difference in the error rate below points does
// not matter", with points in [0, 1]: 0.02 is two percentage points.
//
// The promotion margin is that. The regression tolerance is a fifth of it, at most
// a tenth of a percentage point. With a margin of two points, and five points of
// harm at 40 canary requests per second, simulated harm is found in 10 s without a
// tolerance, in 11 s with a tenth of a point, in 20 s with a fifth of the margin and
// in 36 s with half of it. A wide margin is there to promote sooner, not to see less.
func ErrorMargin(points float64) Margin {
	return Margin{
		Regression: Allowance{1.05, math.Min(points/5, 0.001)},
		Promotion:  Allowance{1.25, points},
	}
}

// SLOMargin is the margin of a service that promises a share slo of good requests,
// where nobody says another: a rise of the error rate by less than a fifth of the
// error budget does not keep a release from being promoted.
func SLOMargin(slo float64) Margin {
	m := ErrorMargin((1 - slo) / 5)
	m.Regression.Add = math.Min(m.Regression.Add, 0.0001)
	m.Promotion.Ratio = 1.3
	return m
}

// LatencyMargin is the margin for "a slowdown below relative does not matter":
// 0.5 is 50 %. The regression tolerance is a fifth of it as far as 15 %, and half of
// what is beyond: slow answers are many, so harm is found soon even so, and who
// allows 50 % does not want a rollback for 15.
//
// errors are the points of the error margin, in [0, 1]. A slow answer harms no more than
// one that fails, so half as many more of them do not keep a release from being promoted.
// Without that a proof would wait for the slowest answer in a thousand: at 50 requests per
// second and arm it takes ten minutes until enough of them are seen, and a minute with an
// error margin of one point.
func LatencyMargin(relative, errors float64) Margin {
	const tight = 0.15
	return Margin{
		Regression: Allowance{1 + math.Min(relative, tight)/5 + math.Max(0, relative-tight)/2, 0.0001},
		Promotion:  Allowance{1 + relative, math.Max(0.0002, errors/2)},
	}
}

// Growth says how the canary's weight grows.
type Growth struct {
	// First is the first weight; 0 lets the exposure budget say.
	First float64 `json:"first,omitempty"`
	// Factor is the most by which one step may multiply the weight.
	Factor float64 `json:"factor"`
	// Every is the least time between two steps.
	Every time.Duration `json:"every"`
	// Decision is the time from harm to its end: sample, look, move the traffic.
	// 0 is half a block. A source that is read every 15 s needs 30 s.
	Decision time.Duration `json:"decision,omitempty"`
	// Exposure is how many bad requests one decision interval may cost; 0 takes
	// ExposureShare of a day's error budget, at least ExposureLeast.
	Exposure      float64 `json:"exposure,omitempty"`
	ExposureShare float64 `json:"exposureShare"`
	ExposureLeast float64 `json:"exposureLeast"`
	// SuspicionDivisor divides the budget while the canary is suspicious.
	SuspicionDivisor float64 `json:"suspicionDivisor"`
	// Holdback is the least share that stays on stable during a watch.
	Holdback float64 `json:"holdback"`
}

const usualSLO = 0.995

// DefaultSettings suit a service with real traffic and noise that is read at
// least every 15 s.
func DefaultSettings() Settings {
	return Settings{
		FalseAlarm: 0.005, FalseProof: 0.05,
		Errors: SLOMargin(usualSLO), Latency: Margin{Allowance{1.03, 0.0001}, Allowance{1.2, 0.0005}}, IdlePerHour: 15,
		Block: time.Minute, MaxBlock: 5 * time.Minute, BlockEvents: 6,
		Clip: 2.5, NoiseShare: 0.5, InstanceWidth: 2, OnsetHorizon: 90 * time.Minute,
		ErrorShare: 0.5,
		Suspicious: 2, SuspiciousEffect: 2, Stop: 20,
		Middle: 0.5, Dwell: time.Minute, Observation: time.Hour, MinimumRequests: 100, Stale: 2 * time.Minute,
		SLO: usualSLO,
		Growth: Growth{
			Factor: 3, Every: 45 * time.Second, ExposureShare: 0.00005, ExposureLeast: 20,
			SuspicionDivisor: 40, Holdback: 0.05,
		},
	}
}

// Validate returns all that is wrong with s, joined, or nil.
func (s Settings) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fault.Errorf(fault.Invalid, format, args...))
		}
	}
	share := func(x float64) bool { return x > 0 && x < 1 }
	finite := func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

	check(share(s.FalseAlarm), "falseAlarm is %v, but must be between 0 and 1", s.FalseAlarm)
	check(share(s.FalseProof), "falseProof is %v, but must be between 0 and 1", s.FalseProof)
	for _, m := range []struct {
		name   string
		margin Margin
	}{{"errors", s.Errors}, {"latency", s.Latency}} {
		r, p := m.margin.Regression, m.margin.Promotion
		check(finite(r.Ratio) && r.Ratio >= 1 && finite(r.Add) && r.Add >= 0 && r.Add < 1,
			"the regression margin of %s must have a ratio of at least 1 and an addition in [0, 1)", m.name)
		check(finite(p.Ratio) && p.Ratio > r.Ratio && finite(p.Add) && p.Add >= r.Add && p.Add < 1,
			"the promotion margin of %s must be wider than the regression margin", m.name)
	}
	check(finite(s.IdlePerHour) && s.IdlePerHour >= 0, "idlePerHour is %v, but must not be negative", s.IdlePerHour)
	check(s.Block >= time.Second, "block is %s, but must be at least 1s", s.Block)
	check(s.MaxBlock >= s.Block, "maxBlock is %s, but must be at least the block of %s", s.MaxBlock, s.Block)
	check(finite(s.BlockEvents) && s.BlockEvents >= 0, "blockEvents is %v, but must not be negative", s.BlockEvents)
	check(finite(s.Clip) && s.Clip >= 0.5, "clip is %v, but must be at least 0.5", s.Clip)
	check(finite(s.NoiseShare) && s.NoiseShare > 0, "noiseShare is %v, but must be positive", s.NoiseShare)
	check(finite(s.InstanceWidth) && s.InstanceWidth >= 0, "instanceWidth is %v, but must not be negative", s.InstanceWidth)
	check(s.OnsetHorizon >= s.Block, "onsetHorizon is %s, but must be at least the block of %s", s.OnsetHorizon, s.Block)
	check(share(s.ErrorShare), "errorShare is %v, but must be between 0 and 1", s.ErrorShare)
	check(s.Suspicious >= 1 && s.SuspiciousEffect >= 1 && s.Stop >= s.Suspicious,
		"suspicious and suspiciousEffect must be at least 1, and stop at least suspicious")
	check(share(s.Middle), "middle is %v, but must be between 0 and 1", s.Middle)
	check(s.Dwell >= 0 && s.Watch >= 0 && s.SlowerThan >= 0, "dwell, watch and slowerThan must not be negative")
	check(s.Watch > 0 || s.Observation > s.Dwell, "observation is %s, but must be longer than the dwell of %s", s.Observation, s.Dwell)
	check(s.MinimumRequests >= 0, "minimumRequests is %d, but must not be negative", s.MinimumRequests)
	check(s.Stale > 0, "stale is %s, but must be positive", s.Stale)
	check(share(s.SLO), "slo is %v, but must be between 0 and 1", s.SLO)
	faults = append(faults, s.Growth.faults(s.Middle)...)
	faults = append(faults, s.customFaults()...)
	return errors.Join(faults...)
}

// Equal tells whether s and o judge alike.
func (s Settings) Equal(o Settings) bool { return reflect.DeepEqual(s, o) }

// leastExposureShare is the share below which a busy service never reaches the middle level.
const leastExposureShare = 0.00002

func (g Growth) faults(middle float64) []error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fault.Errorf(fault.Invalid, format, args...))
		}
	}
	check(g.First >= 0 && g.First <= middle, "the first weight is %v, but must be between 0 and the middle level of %v", g.First, middle)
	check(g.Factor > 1 && !math.IsInf(g.Factor, 0), "the growth factor is %v, but must be greater than 1", g.Factor)
	check(g.Every >= 0 && g.Decision >= 0, "every and decision must not be negative")
	check(g.Exposure >= 0 && !math.IsInf(g.Exposure, 0), "the exposure budget is %v, but must not be negative", g.Exposure)
	if g.Exposure == 0 {
		check(g.ExposureShare >= leastExposureShare && g.ExposureShare < 1,
			"exposureShare is %v, but must be at least %v: below it a busy canary never reaches the middle level", g.ExposureShare, leastExposureShare)
		check(g.ExposureLeast > 0, "exposureLeast is %v, but must be positive", g.ExposureLeast)
	}
	check(g.SuspicionDivisor >= 1, "suspicionDivisor is %v, but must be at least 1", g.SuspicionDivisor)
	check(g.Holdback >= 0 && g.Holdback <= 0.5, "the holdback is %v, but must be between 0 and 0.5", g.Holdback)
	return faults
}

// shortestSafeBlock is where independence between blocks stops being a good
// approximation for real services.
const shortestSafeBlock = 30 * time.Second

// Warnings says what is allowed but unwise.
func (s Settings) Warnings() []string {
	var w []string
	if s.Block < shortestSafeBlock {
		w = append(w, "blocks under 30s treat a burst of a minute as several independent pieces of evidence; "+
			"with real traffic expect false rollbacks well above the budget (in simulation 12 % with blocks of 15s)")
	}
	if s.Growth.Exposure > 0 && s.Growth.Exposure < s.Growth.ExposureLeast {
		w = append(w, "an exposure budget under 20 bad requests makes the canary start very small and the decision slow")
	}
	return w
}

// Exposure is the budget B in bad requests for one decision interval, at a
// service's rate in requests per second.
func (s Settings) Exposure(rate float64) float64 {
	if s.Growth.Exposure > 0 {
		return s.Growth.Exposure
	}
	return math.Max(s.Growth.ExposureLeast, s.Growth.ExposureShare*(1-s.SLO)*86400*rate)
}

func (s Settings) decision() float64 {
	if s.Growth.Decision > 0 {
		return s.Growth.Decision.Seconds()
	}
	return s.Block.Seconds() / 2
}
