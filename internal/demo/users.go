package demo

import (
	"context"
	"sync"

	"github.com/fairwayhq/fairway/internal/load"
)

// users are the traffic on the service, from the first release to the end.
type users struct {
	cancel context.CancelFunc
	once   sync.Once
	done   chan struct{}
	report load.Report
}

// versionHeader names the version of the shop that answered.
const versionHeader = "Shop-Version"

func (s *story) users() (*users, error) {
	l, err := load.New(load.Config{URL: s.Service, Rate: s.Rate, VersionHeader: versionHeader})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	u := &users{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(u.done)
		u.report = l.Run(ctx)
	}()
	return u, nil
}

// stop ends the traffic and waits for the last answers.
func (u *users) stop() {
	u.once.Do(u.cancel)
	<-u.done
}

// count sorts the failures: the shop's own answers name their version, all others
// were failed by the deploying.
func (u *users) count(s *Summary) {
	s.Requests = u.report.Requests
	s.FailedByDeploys = u.report.Failed
	for version, v := range u.report.Versions {
		if version == "" {
			continue
		}
		s.FailedByDeploys -= v.Failed
		if version == Bad {
			s.BadServed += v.Failed
		}
	}
}
