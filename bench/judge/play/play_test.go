package play_test

import (
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/world"
)

// script plays a fixed weight and then one move.
type script struct {
	at   time.Duration
	move play.Move
}

func (s script) Begin(*world.World) play.Move { return play.Move{Weight: 0.1, Instances: 3} }

func (s script) Look(r *world.Reading) play.Move {
	if r.At >= s.at {
		return s.move
	}
	return play.Move{Weight: 0.1, Instances: 3}
}

var rules = play.Rules{Scrape: 15 * time.Second, Length: 30 * time.Minute}

func run(f world.Scenario, s script) play.Result {
	return play.Run(world.New(world.Services[2], world.IID, f, 1), s, rules)
}

func TestADecisionTakesATick(t *testing.T) {
	r := run(world.Errors100, script{time.Minute, play.Move{Status: play.TakenBack, Reason: "so"}})
	if !r.TakenBack || r.Back != 65 || r.Reason != "so" {
		t.Errorf("decided after 60 s, it was back after %v s: %+v", r.Back, r)
	}
	// 65 s at 10 % of 200/s, with a traffic that IID leaves alone.
	if want := 65 * 20.0; r.Harm < 0.99*want || r.Harm > want {
		t.Errorf("the harm is %v, want nearly %v", r.Harm, want)
	}
}

func TestWhatIsPromotedGoesOnHurting(t *testing.T) {
	r := run(world.Errors100, script{time.Minute, play.Move{Weight: 1, Instances: 10, Status: play.Promoted}})
	if r.To95 != 65 || r.To100 != 65 || !play.WasPromoted(r) {
		t.Errorf("promoted after %v and %v s", r.To95, r.To100)
	}
	if want := 65*20 + (1800-65)*200.0; r.Harm < 0.98*want || r.Harm > want {
		t.Errorf("the harm is %v, want nearly %v", r.Harm, want)
	}
}

func TestTheNumberOfCoresDoesNotMatter(t *testing.T) {
	cells := []play.Cell{
		{Player: "a", Service: world.Services[1], Noise: world.Harsh, Scenario: world.Errors3, Rules: rules, Runs: 7,
			Make: func() play.Player { return script{time.Hour, play.Move{}} }},
		{Player: "b", Service: world.Services[2], Noise: world.Real, Scenario: world.Tail100, Rules: rules, Runs: 3,
			Make: func() play.Player { return script{time.Minute, play.Move{Status: play.TakenBack}} }},
	}
	outcomes := func(cores int) (all [][]play.Result) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		for _, o := range play.Grid(cells, 5, nil) {
			all = append(all, o.Results)
		}
		return all
	}
	one, many := outcomes(1), outcomes(4)
	if !reflect.DeepEqual(one, many) {
		t.Errorf("one core: %v; four: %v", one, many)
	}
}

func TestQuantilesCountWhatNeverHappened(t *testing.T) {
	o := play.Outcome{}
	for _, x := range []float64{4, 1, 3, 2} {
		o.Results = append(o.Results, play.Result{Harm: x, To95: 100 * x})
	}
	if m := o.Median(play.Harm); m != 2.5 {
		t.Errorf("the median of 1 to 4 is %v", m)
	}
	never := run(world.AA, script{time.Hour, play.Move{}})
	o.Results = append(o.Results, never, never, never, never, never)
	if m := o.Median(play.To95); m != never.To95 {
		t.Errorf("with five of nine that never got there the median is %v", m)
	}
}
