package rival

import (
	"math"

	"github.com/fairwayhq/fairway/bench/judge/own"
	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/world"
)

// oracle knows what the fault would be, and every part of the noise at every moment.
// It has only to be sure that the fault is there: it sums the log likelihood ratio of
// what the canary did, from its lowest point on (Page's CUSUM, 1954), until the odds
// are 200 to 1. It plays on Fairway's weights and stays at the middle level until it is
// sure; nobody can know more, so what it cannot avoid no judge on these weights can.
type oracle struct {
	ramp *own.Ramp
	log  float64
}

// OracleName is how the oracle is called in reports.
const OracleName = "oracle"

const oracleOdds = 200

// NewOracle makes an oracle for one run.
func NewOracle(p *own.Plan, s world.Service) play.Player { return &oracle{ramp: p.NewRamp(s)} }

func (o *oracle) Begin(*world.World) play.Move {
	weight, instances := o.ramp.Weight()
	return play.Move{Weight: weight, Instances: instances}
}

func (o *oracle) Look(r *world.Reading) play.Move {
	o.log = math.Max(0, o.log+r.LogRatio)
	if o.log >= math.Log(oracleOdds) {
		return play.Move{Status: play.TakenBack, Reason: "it is sure"}
	}
	o.ramp.Grow(r)
	weight, instances := o.ramp.Weight()
	return play.Move{Weight: weight, Instances: instances}
}
