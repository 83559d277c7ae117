package judge

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestTheDefaultsAreValidAndReadBack(t *testing.T) {
	s := DefaultSettings()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	var back Settings
	if err := json.Unmarshal([]byte(asJSON(t, s)), &back); err != nil || !back.Equal(s) {
		t.Errorf("read back %+v, %v", back, err)
	}
	if w := s.Warnings(); len(w) != 0 {
		t.Errorf("the defaults warn: %v", w)
	}
	demo := demoSettings()
	if err := demo.Validate(); err != nil || len(demo.Warnings()) != 1 {
		t.Errorf("the demo's settings: %v, warnings %v", err, demo.Warnings())
	}
}

func TestTheDefaultMarginsAreTheMethods(t *testing.T) {
	near(t, "the errors' tolerance", ErrorMargin(0.0005).Regression.Add, 0.0001)
	near(t, "the margin of a promise of 99.5 %", SLOMargin(0.995).Promotion.Add, 0.001)
	near(t, "its tolerance", SLOMargin(0.995).Regression.Add, 0.0001)
	near(t, "the tolerance of a promise of 99.99 %", SLOMargin(0.9999).Regression.Add, 0.000004)
	near(t, "the latency tolerance", LatencyMargin(0.15, 0).Regression.Ratio, 1.03)
	near(t, "a wide latency tolerance", LatencyMargin(0.5, 0).Regression.Ratio, 1.205)
	near(t, "the slow answers that are allowed beside a point of errors", LatencyMargin(0.5, 0.01).Promotion.Add, 0.005)
	near(t, "the slow answers that are allowed at the least", LatencyMargin(0.5, 0).Promotion.Add, 0.0002)
	near(t, "a wide tolerance of errors", ErrorMargin(0.02).Regression.Add, 0.001)
}

func TestValidateReportsEveryFault(t *testing.T) {
	for want, mutate := range map[string]func(*Settings){
		"falseAlarm":          func(s *Settings) { s.FalseAlarm = 0 },
		"falseProof":          func(s *Settings) { s.FalseProof = math.NaN() },
		"margin of errors":    func(s *Settings) { s.Errors.Promotion.Ratio = 1 },
		"margin of latency":   func(s *Settings) { s.Latency.Regression.Ratio = math.Inf(1) },
		"block is":            func(s *Settings) { s.Block = 0 },
		"maxBlock":            func(s *Settings) { s.MaxBlock = time.Second },
		"clip":                func(s *Settings) { s.Clip = 0 },
		"onsetHorizon":        func(s *Settings) { s.OnsetHorizon = 0 },
		"middle":              func(s *Settings) { s.Middle = 1 },
		"observation":         func(s *Settings) { s.Observation = s.Dwell },
		"slo":                 func(s *Settings) { s.SLO = 1 },
		"growth factor":       func(s *Settings) { s.Growth.Factor = 1 },
		"exposureShare":       func(s *Settings) { s.Growth.ExposureShare = 0.00001 },
		"first weight":        func(s *Settings) { s.Growth.First = 0.7 },
		"holdback":            func(s *Settings) { s.Growth.Holdback = 0.6 },
		"stale":               func(s *Settings) { s.Stale = 0 },
		"suspicious":          func(s *Settings) { s.Stop = 1 },
		"minimumRequests":     func(s *Settings) { s.MinimumRequests = -1 },
		"the exposure budget": func(s *Settings) { s.Growth.Exposure = -3 },
	} {
		s := DefaultSettings()
		mutate(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a fault in %q gave %v", want, err)
		}
	}
	if err := (Settings{}).Validate(); err == nil || strings.Count(err.Error(), "\n") < 10 {
		t.Errorf("empty settings gave only: %v", err)
	}
}
