package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/bench/fleet"
	"github.com/fairwayhq/fairway/internal/api/client"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// filled is a server with releases that wait.
type filled struct {
	server            *fleet.Server
	emptyMB, filledMB float64
}

// fill starts a server, makes releases that wait for an approval, and measures its
// memory before and after.
func fill(ctx context.Context, c config, dir string) (f filled, err error) {
	f.server = &fleet.Server{Fairway: c.fairway, Dir: filepath.Join(dir, "server")}
	if _, err := f.server.Start(ctx); err != nil {
		return f, err
	}
	defer f.server.Stop()
	if f.emptyMB, err = settled(f.server); err != nil {
		return f, err
	}
	if err := create(ctx, f.server, c.waiting); err != nil {
		return f, err
	}
	f.filledMB, err = settled(f.server)
	return f, err
}

const waitingDefinition = `service: service-%d
host: {run: ./shop, listen: "127.0.0.1:%d"}
environments:
  - name: production
    stages: [{approval: {roles: [sre]}}, canary, {watch: {for: 10m}}]
`

func create(ctx context.Context, s *fleet.Server, n int) error {
	token, err := s.Token()
	if err != nil {
		return err
	}
	api, err := client.New(client.Config{URL: s.URL(), Token: token})
	if err != nil {
		return err
	}
	const callers = 8
	var all sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		all.Go(func() {
			for k := i; k < n && errs[i] == nil; k += callers {
				_, errs[i] = api.Create(ctx, client.NewRelease{
					Definition: fmt.Sprintf(waitingDefinition, k, 10_000+k), Version: "v1",
					Artifact: "./shop", Digest: "sha256:" + strings.Repeat("a", 64),
				}, strconv.Itoa(k))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// settleTime lets the process come to rest, so that garbage of the work before is
// not measured as what it holds.
const settleTime = 5 * time.Second

// settled is the resident memory of the server at rest, in MB of 10⁶ bytes.
func settled(s *fleet.Server) (float64, error) {
	time.Sleep(settleTime)
	m, err := fleet.MemoryOf(s.PID())
	return m.Resident, err
}

type started struct{ medianMS, longestMS, residentMB float64 }

// starts measures restarts on the filled store.
func starts(ctx context.Context, c config, s *fleet.Server) (started, error) {
	var all []float64
	var out started
	for i := range c.starts {
		took, err := s.Start(ctx)
		if err != nil {
			return out, err
		}
		all = append(all, float64(took.Microseconds())/1000)
		if i == c.starts-1 {
			out.residentMB, err = settled(s)
		}
		s.Stop()
		if err != nil {
			return out, err
		}
	}
	slices.Sort(all)
	out.medianMS, out.longestMS = all[len(all)/2], all[len(all)-1]
	return out, nil
}
