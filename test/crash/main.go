// Command crash kills Fairway's servers and workers again and again, by SIGKILL,
// while they carry out releases good and bad under real traffic, and looks whether
// every release ends as it would have. Run it from the repository's root, on Linux:
//
//	go run ./test/crash -kills 200
//
// There are two workers with one data folder. With SQLite they and the releases' owners speak to
// one server, with PostgreSQL to a balancer before two: who is killed is then replaced by the other
// one, until it is back. Who ends by itself is a fault.
//
// First every kind of ending is seen undisturbed (some of them with -brief). Then come the kills:
// most are aimed, at a point before, during or after a verb of the platform, the start of a
// command or a commit of the store (a build with the tag "crash" can do that, see internal/app), and
// meet the server or worker that is there first; the others come at any time. What is killed is
// started again, on the same data. One service leads another one in its releases; the others are
// released alone.
//
// All the time the router's table is read (do the weights sum up, does every arm
// with traffic answer, and does a new version have the new one of the service that goes
// before it?), processes are counted, and users' requests are. After
// each round every release must have come to the same end by the same steps as
// undisturbed, with no effect twice.
//
// It prints a table of the kills by point and, as its last line, the bar as JSON. The bar is met
// only where verbs, commits, servers and workers were met often enough.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
)

// options are what the flags say.
type options struct {
	kills int
	seed  uint64
	limit time.Duration
	keep  bool
	brief bool // each service has only some of its outcomes
	// database is sqlite, or postgres: then two servers share it, and it is killed too.
	database string
	out      io.Writer
}

func main() {
	o := options{out: os.Stdout}
	flag.IntVar(&o.kills, "kills", 200, "how often to kill")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "order of kills and releases, to come close to an earlier run")
	flag.DurationVar(&o.limit, "limit", 50*time.Minute, "give up after this time")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder with the data and the logs")
	flag.BoolVar(&o.brief, "brief", false, "make releases of fewer kinds, so that fewer must be seen undisturbed")
	flag.StringVar(&o.database, "database", sqlite, "sqlite, or postgres for two servers that share one, or both, one after the other")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := runAll(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

// runAll runs one campaign for each database, and prints all bars at the end. One that cannot
// be run does not keep the other from it.
func runAll(ctx context.Context, o options) error {
	databases := []string{o.database}
	if o.database == "both" {
		databases = []string{sqlite, postgreSQL}
	}
	var bars []bar.Bar
	var failed error
	began := time.Now()
	for _, o.database = range databases {
		r, err := run(ctx, o)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", o.database, err))
			continue
		}
		r.print(o)
		bars = append(bars, r.bar(o.kills))
	}
	fmt.Fprintf(o.out, "it took %s\n", time.Since(began).Round(time.Second))
	return errors.Join(failed, bar.Print(o.out, bars))
}

const (
	sqlite     = "sqlite"
	postgreSQL = "postgres"
)

// run makes the world, lets the rounds happen, and takes the world away.
func run(ctx context.Context, o options) (r *result, err error) {
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("processes are counted by /proc, which %s does not have", runtime.GOOS)
	}
	if o.database != sqlite && o.database != postgreSQL {
		return nil, fmt.Errorf("-database is %q; use %s or %s", o.database, sqlite, postgreSQL)
	}
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	rig, err := newRig(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = r.closed(rig.close(), err) }()
	r, err = rig.campaign(ctx)
	if r != nil {
		r.database = o.database
	}
	return r, err
}

// result is what came of it.
type result struct {
	database string
	kills    []kill
	faults   []string
	notes    []string
	// points are the kinds of commits that undisturbed releases make.
	points []string
	// processes are the names of all who can be killed, servers those of the servers.
	processes, servers []string
	takeovers          takeovers
	compared           int // releases with the steps of undisturbed ones
}

// kill is one process, or both, that was killed.
type kill struct {
	card card
	// points are all names of the point where it died: a commit is named after
	// every kind of line that it writes.
	points []string
	at     time.Time
	round  int
	// victims are the names of the processes, or "database".
	victims []string
	// survived says that everything in its round was as it should be.
	survived bool
}

// closed makes a fault of a world that did not end well, so that what was measured is still
// told; without a result it is one more error.
func (r *result) closed(left, err error) error {
	if r == nil || left == nil {
		return errors.Join(err, left)
	}
	r.faults = append(r.faults, fmt.Sprintf("the world did not end: %v", left))
	return err
}

func (r *result) survived() int {
	n := 0
	for _, k := range r.kills {
		if k.survived {
			n++
		}
	}
	return n
}

func (r *result) print(o options) {
	w := o.out
	for _, n := range r.notes {
		fmt.Fprintln(w, n)
	}
	printTable(w, r.kills)
	fmt.Fprintln(w, r.spread())
	for _, f := range r.faults {
		fmt.Fprintln(w, "WRONG:", f)
	}
	for _, f := range r.thin(o.kills) {
		fmt.Fprintln(w, "TOO FEW:", f)
	}
}

// bar is how many of the wanted kills were survived. It is not met where they were too few
// somewhere.
func (r *result) bar(want int) bar.Bar {
	n := r.survived()
	return bar.Bar{
		Name: "kills_survived_" + r.database, Value: float64(n), Unit: fmt.Sprintf("of %d", want),
		Bar: fmt.Sprintf("= %d", want), OK: n == want && len(r.kills) == want && len(r.faults) == 0 && len(r.thin(want)) == 0,
	}
}
