package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairwayhq/fairway/internal/api/client"
)

// interval is the time between two looks of a canary or a watch.
const interval = 15 * time.Second

const definition = `service: %s
expect: {rate: 10000/s, errors: 0.2%%}
host: {run: ./shop, listen: "127.0.0.1:8080", instances: 4}
metrics:
  prometheus:
    url: http://127.0.0.1:9090
    requests: http_requests_total{service="$service",revision="$revision"}
    errors: http_requests_total{service="$service",revision="$revision",code=~"5.."}
    histogram: http_request_duration_seconds{service="$service",revision="$revision"}
    interval: %s
environments:
  - name: production
    regions: [%s]
    waves: [rest]
    stages: [canary, {watch: {for: %s}}, promote]
`

// waitingDefinition waits for a person from its beginning.
const waitingDefinition = `service: %s
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [{approval: {roles: [sre]}}, deploy]
`

func regionNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("region-%03d", i)
	}
	return names
}

func define(service string, regions []string, watch, interval time.Duration) string {
	return fmt.Sprintf(definition, service, interval, strings.Join(regions, ", "), watch)
}

// create makes one release of the definition.
func (r *rig) create(ctx context.Context, text string, n int) error {
	_, err := r.api.Create(ctx, client.NewRelease{
		Definition: text, Version: fmt.Sprint("v", n), Artifact: "./shop", Digest: fmt.Sprintf("sha256:%064x", n),
	}, fmt.Sprint("release ", n))
	return err
}

// createAll makes a release of each definition, some of them side by side.
func (r *rig) createAll(ctx context.Context, texts []string) error {
	const callers = 4
	first := r.made
	r.made += len(texts)
	var all sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		all.Go(func() {
			for k := i; k < len(texts) && errs[i] == nil; k += callers {
				errs[i] = r.create(ctx, texts[k], first+k)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// What this program asks of the database itself is left out of the statements by its names.
const (
	selectMoving = `SELECT count(*) AS bench_moving FROM runs WHERE ended_at = 0`
	selectStates = `SELECT count(*) AS bench_states FROM runs WHERE state NOT IN ('succeeded', 'cancelled')`
)

// ended waits until no release moves any more, and fails where one has not succeeded.
func (r *rig) ended(ctx context.Context, limit time.Duration) error {
	conn, err := pgx.Connect(ctx, r.db.URL("fairway"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for end := time.Now().Add(limit); ; time.Sleep(200 * time.Millisecond) {
		var n int
		if err := conn.QueryRow(ctx, selectMoving).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d releases have not come to their end within %s", n, limit)
		}
	}
	var failed int
	if err := conn.QueryRow(ctx, selectStates).Scan(&failed); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d releases have not succeeded", failed)
	}
	return nil
}
