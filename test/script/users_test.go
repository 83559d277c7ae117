package script

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/fairwayhq/fairway/internal/load"
)

// users are the traffic on a service.
type users struct {
	cancel context.CancelFunc
	once   sync.Once
	done   chan struct{}
	report load.Report
}

// users come URL RATE | go: traffic in the background; when the users go, what they saw is printed.
func usersCommand(ts *script, _ bool, args []string) {
	s := of(ts)
	switch {
	case len(args) == 3 && args[0] == "come" && s.users == nil:
		rate, err := strconv.ParseFloat(args[2], 64)
		ts.Check(err)
		l, err := load.New(load.Config{URL: args[1], Rate: rate, VersionHeader: "Shop-Version"})
		ts.Check(err)
		ctx, cancel := context.WithCancel(context.Background())
		u := &users{cancel: cancel, done: make(chan struct{})}
		go func() {
			defer close(u.done)
			u.report = l.Run(ctx)
		}()
		s.users = u
	case len(args) == 1 && args[0] == "go" && s.users != nil:
		s.users.stop()
		r := s.users.report
		s.users = nil
		fmt.Fprintf(ts.Stdout(), "requests %d failed %d\n", r.Requests, r.Failed)
		for _, version := range slices.Sorted(maps.Keys(r.Versions)) {
			name := version
			if name == "" {
				name = "nobody"
			}
			fmt.Fprintf(ts.Stdout(), "%s answered %d failed %d\n", name, r.Versions[version].Requests, r.Versions[version].Failed)
		}
	default:
		ts.Fatalf("usage: users come URL RATE | go")
	}
}

func (u *users) stop() {
	u.once.Do(u.cancel)
	<-u.done
}
