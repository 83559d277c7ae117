package pipeline

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAnAudienceIsChosenByAHeaderOrACookie(t *testing.T) {
	for name, c := range map[string]struct {
		given AudienceDefinition
		want  Audience
	}{
		"the header X-Canary: a: b": {AudienceDefinition{Header: "X-Canary: a: b"}, Audience{Header: "X-Canary", Value: "a: b", For: Duration(10 * time.Minute)}},
		"the cookie beta=1=":        {AudienceDefinition{Cookie: "beta=1=", For: Duration(time.Hour)}, Audience{Cookie: "beta", Value: "1=", For: Duration(time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := compileStage(StageDefinition{Canary: &CanaryDefinition{Audience: &c.given}}, nil, 0)
			if d := cmp.Diff(&c.want, s.Canary.Audience); d != "" {
				t.Error(d)
			}
			if got := s.Canary.Audience.String(); got != name {
				t.Errorf("the requests have %s", got)
			}
			if least := s.Canary.Observation + c.want.For; s.TimeLimit <= least {
				t.Errorf("it may take %s and needs %s", s.TimeLimit, least)
			}
		})
	}
	if s := compileStage(StageDefinition{Canary: &CanaryDefinition{}}, nil, 0); s.Canary.Audience != nil {
		t.Errorf("nobody asked for %+v", s.Canary.Audience)
	}
}
