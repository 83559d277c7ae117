// Record keeps releases as a build of Fairway leaves them in their middle, so that every
// later version can be tested on them:
//
//	go build -o /tmp/fairway ./cmd/fairway && go build -o /tmp/shop ./examples/shop
//	go run ./test/upgrade/record -fairway /tmp/fairway -shop /tmp/shop -out test/upgrade/testdata/2026-11-29
//
// The build may be of any commit. It runs with real processes until each release is at its
// moment, and is then killed. What is kept is the database as SQL and the router's table.
// Names of people, tokens and sessions are left out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/test/program"
)

func main() {
	var r recorder
	flag.StringVar(&r.fairway, "fairway", "", "the build that is recorded")
	flag.StringVar(&r.shop, "shop", "", "a build of the shop, which is the artifact of all releases")
	flag.StringVar(&r.out, "out", "", "folder of the recording")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := r.record(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

// dir is where the recorded server runs. It stands in plans and ledgers, so it is the same
// for all recordings.
const dir = "/tmp/fairway-recording"

type recorder struct {
	fairway, shop, out string
	url                string
	server             *program.Program
}

// moment is a service whose second release is recorded in its middle.
type moment struct {
	service string
	stages  string
	port    int
	// second is the port in a second region; zero where the service has none. waves is how
	// its second release goes through the regions eu and us.
	second int
	waves  string
	// with is a service that is released together with it, and goes first.
	with *moment
	// before is what events tell before act is done; at is what they tell at the moment.
	before string
	act    []string
	at     string
}

const (
	looking = "margin: {errors: 2pp, latency: 1000%}, budget: 10000, block: 1s, warmUp: 1ms, every: 1s, firstWeight: 20%"
	// quick passes within seconds.
	quick = "margin: {errors: 30pp, latency: 1000%}, budget: 10000, block: 1s, warmUp: 1ms, every: 1s, dwell: 1s, firstWeight: 20%"
)

var moments = []moment{
	{service: "canary", port: 17101, stages: "[{job: {run: 'true', undo: 'true'}, name: migrate}, {canary: {" + looking + ", dwell: 5m}}, {watch: {for: 20s, holdback: 5%}}]",
		at: `v2 has [0-9.]+ % of the traffic`},
	{service: "watch", port: 17102, stages: "[{canary: {" + quick + "}}, {watch: {for: 2m, holdback: 5%}}]",
		at: `Stage canary passed`},
	{service: "undo", port: 17103, stages: "[{job: {run: 'true', undo: 'sleep 600'}, name: migrate}, {canary: {" + looking + ", dwell: 5m}}]",
		before: `v2 has [0-9.]+ % of the traffic`, act: []string{"rollback", "undo@v2", "-m", "a complaint"}, at: `(?i)stage canary .*(undone|back)`},
	{service: "approval", port: 17104, stages: "[{approval: {roles: [release-manager]}}, deploy]",
		at: `Stage approval began`},
	{service: "paused", port: 17105, stages: "[{canary: {" + looking + ", dwell: 5m}}, {watch: {for: 20s, holdback: 5%}}]",
		before: `v2 has [0-9.]+ % of the traffic`, act: []string{"pause", "paused@v2", "-m", "a look at the logs"}, at: `Paused by admin`},
	{service: "leads", port: 17106, stages: "[{canary: {" + looking + ", dwell: 5m}}, {watch: {for: 20s, holdback: 5%}}]",
		with: &moment{service: "led", port: 17107, stages: "[{job: {run: 'true', undo: 'true'}, name: migrate}, deploy]"},
		at:   `v2 has [0-9.]+ % of the traffic`},
	{service: "returns", port: 17108, stages: "[{canary: {" + looking + ", dwell: 5m}}]",
		with:   &moment{service: "returned", port: 17109, stages: "[{job: {run: 'true', undo: 'sleep 600'}, name: migrate}, deploy]"},
		before: `v2 has [0-9.]+ % of the traffic`, act: []string{"rollback", "returns@v2", "-m", "a complaint"},
		at: `(?i)stage deploy .*(undone|back)`},
	{service: "bakes", port: 17110, second: 17111, waves: "waves: [eu, us]\n    bake: 10m",
		stages: "[{canary: {" + quick + "}}]",
		at:     `v2 is now at home in production/eu`},
	{service: "asks", port: 17112, second: 17113, waves: "waves: [eu, us]\n    bake: 1s\n    takeBack: ask",
		stages: "[deploy, {job: {run: 'sh -c \"test -z $BROKEN\"'}, name: smoke}]",
		at:     `v2 was rolled back in production/us`},
	{service: "works", port: 17114, stages: "[{canary: {" + quick + "}}, {job: {run: 'sleep 600', undo: 'true'}, name: smoke}, {watch: {for: 20s, holdback: 5%}}]",
		at: `Stage smoke began`},
}

func (m moment) definition(version string) string {
	stages, regions := m.stages, ""
	if version == "v1" {
		stages = "[deploy]"
	}
	if m.second > 0 {
		regions = fmt.Sprintf("    regions: [eu, {name: us, host: {listen: \"127.0.0.1:%d\"}, config: {env: {BROKEN: 'yes'}}}]\n", m.second)
		if version != "v1" {
			regions += "    " + m.waves + "\n"
		}
	}
	with := ""
	if m.with != nil {
		with = fmt.Sprintf("with: [{service: %[1]s, file: %[1]s.yaml}]\n", m.with.service)
	}
	return with + fmt.Sprintf("service: %s\nexpect: {rate: 50/s, errors: 0.2%%}\nhost: {run: $ARTIFACT -port $PORT, listen: \"127.0.0.1:%d\", ready: {path: /healthz, interval: 20ms}, drain: 100ms}\nenvironments:\n  - name: production\n%s    stages: %s\n",
		m.service, m.port, regions, stages)
}

func (r *recorder) record(ctx context.Context) (err error) {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := r.artifacts(); err != nil {
		return err
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	defer r.end()
	for _, m := range moments {
		if err := r.ship(m, "v1"); err != nil {
			return err
		}
		if err := r.told(ctx, m.service+"@v1", `is released`); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for _, m := range moments {
		go use(ctx, m.port)
		if m.second > 0 {
			go use(ctx, m.second)
		}
		if err := r.ship(m, "v2"); err != nil {
			return err
		}
	}
	for _, m := range moments {
		if err := r.bring(ctx, m); err != nil {
			return err
		}
	}
	time.Sleep(4 * time.Second) // some looks more, so that there is something to remember
	r.server.Kill()
	return r.keep()
}

// artifacts are copies of the shop that differ in a few bytes at their end.
func (r *recorder) artifacts() error {
	shop, err := os.ReadFile(r.shop)
	if err != nil {
		return err
	}
	for _, version := range []string{"v1", "v2"} {
		if err := os.WriteFile(filepath.Join(dir, version), append(shop, version...), 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) start(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	_ = listener.Close()
	r.url = "http://" + address
	r.server = &program.Program{
		Name: "server", Path: r.fairway, Dir: dir, Env: os.Environ(),
		Args: []string{"server", "--data-dir", filepath.Join(dir, "data"), "--listen", address},
	}
	if err := r.server.Start(); err != nil {
		return err
	}
	return until(ctx, "the server is ready", func() bool {
		res, err := http.Get(r.url + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// end ends what outlives the server.
func (r *recorder) end() {
	r.server.Kill()
	stop := exec.Command(r.fairway, "host", "stop", "--yes", "--data-dir", filepath.Join(dir, "data"))
	if output, err := stop.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "record: ending the services: %v\n%s", err, output)
	}
}

func (r *recorder) run(args ...string) (string, error) {
	cmd := exec.Command(r.fairway, append(args, "--server", r.url)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "FAIRWAY_DATA_DIR="+filepath.Join(dir, "data"), "NO_COLOR=1")
	output, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("fairway %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return string(output), err
}

// ship releases the service: the first version without much ado, the second by its stages.
func (r *recorder) ship(m moment, version string) error {
	artifact := filepath.Join(dir, version)
	args := []string{"ship", "-f", m.file(), "--artifact", artifact, "--version", version}
	for _, of := range []*moment{&m, m.with} {
		if of == nil {
			continue
		}
		if err := os.WriteFile(of.file(), []byte(of.definition(version)), 0o600); err != nil {
			return err
		}
	}
	if m.with != nil {
		args = append(args, "--with", m.with.service+"@"+version+"="+artifact)
	}
	_, err := r.run(args...)
	return err
}

func (m moment) file() string { return filepath.Join(dir, m.service+".yaml") }

// bring brings the release to its moment.
func (r *recorder) bring(ctx context.Context, m moment) error {
	ref := m.service + "@v2"
	if m.before != "" {
		if err := r.told(ctx, ref, m.before); err != nil {
			return err
		}
		if _, err := r.run(m.act...); err != nil {
			return err
		}
	}
	return r.told(ctx, ref, m.at)
}

// told waits until the release's events say what matches.
func (r *recorder) told(ctx context.Context, ref, what string) error {
	pattern := regexp.MustCompile(what)
	said := ""
	err := until(ctx, ref+": "+what, func() bool {
		said, _ = r.run("events", ref)
		return pattern.MatchString(said)
	})
	if err != nil {
		return fmt.Errorf("%w; it says:\n%s\n%s", err, said, r.server.Tail(20))
	}
	return nil
}

// use asks the service for pages, 60 a second.
func use(ctx context.Context, port int) {
	for ctx.Err() == nil {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err == nil {
			_ = res.Body.Close()
		}
		time.Sleep(16 * time.Millisecond)
	}
}

func until(ctx context.Context, what string, ok func() bool) error {
	end := time.Now().Add(2 * time.Minute)
	for !ok() {
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("it did not come to this: %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}
