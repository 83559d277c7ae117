// Shop is the service that Fairway's demo releases: a small web shop with JSON
// answers, a realistic latency, and faults that can be built in.
//
//	go build -ldflags "-X main.version=v3 -X main.errorRate=0.05 -X main.slower=1.3" -o shop-v3 ./examples/shop
//	./shop-v3 --port 8080
//
// Every setting is a string variable for -ldflags -X, so that each version is a
// binary with a digest of its own, and a flag of the same name, and a variable
// in the environment (SHOP_ERROR_RATE …); the flag wins.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// What a build can set.
var (
	version       = "dev"
	errorRate     = "0"
	baseErrorRate = "0.002"
	slower        = "1"
	tail          = "0.01"
	delay         = "0s"
	failStart     = "false"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	host, port, traits, err := parse(args)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, nil)).With("version", traits.version)
	if traits.failStart {
		return fmt.Errorf("version %s cannot start: the table \"prices\" has no column \"currency\"; run the migration first", traits.version)
	}
	held := hold(traits.hog)
	defer runtime.KeepAlive(held)
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newShop(traits, log), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("shop is open", "address", listener.Addr().String())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("shop closes; open requests may finish")
	limit, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	err = server.Shutdown(limit)
	<-served
	return err
}

// traits are what tells one version of the shop from another.
type traits struct {
	version   string
	faults    float64       // share of answers that fail in this version only
	base      float64       // share of answers that fail in every version
	slower    float64       // factor on the latency
	tail      float64       // share of answers that wait for something slow behind the shop
	delay     time.Duration // what this version waits on top
	bears     float64       // requests per second that it can answer; 0 means any number
	hog       int           // MiB of memory that it takes at its start
	failStart bool
}

func parse(args []string) (host, port string, t traits, err error) {
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	flags.StringVar(&host, "host", env("HOST", "127.0.0.1"), "address to listen on")
	flags.StringVar(&port, "port", env("PORT", "8080"), "port to listen on")
	flags.StringVar(&t.version, "version", env("SHOP_VERSION", version), "version to report")
	flags.Float64Var(&t.faults, "error-rate", number("SHOP_ERROR_RATE", errorRate), "share of answers that fail, beside the base")
	flags.Float64Var(&t.base, "base-error-rate", number("SHOP_BASE_ERROR_RATE", baseErrorRate), "share of answers that fail in every version")
	flags.Float64Var(&t.slower, "slower", number("SHOP_SLOWER", slower), "factor on the latency")
	flags.Float64Var(&t.tail, "tail", number("SHOP_TAIL", tail), "share of answers that wait for something slow behind the shop")
	wait := flags.String("delay", env("SHOP_DELAY", delay), "how long it waits before each answer, on top of its latency")
	flags.Float64Var(&t.bears, "bears", number("SHOP_BEARS", "0"), "requests per second that it can answer; others get 503; 0 means any number")
	flags.IntVar(&t.hog, "hog", int(number("SHOP_HOG", "0")), "MiB of memory that it takes at its start")
	flags.BoolVar(&t.failStart, "fail-start", env("SHOP_FAIL_START", failStart) == "true", "exit with an error instead of starting")
	if err := flags.Parse(args); err != nil {
		return "", "", t, err
	}
	if t.delay, err = time.ParseDuration(*wait); err != nil || t.delay < 0 {
		return "", "", t, errors.New("a delay is like 300ms")
	}
	if !(t.faults >= 0 && t.faults <= 1 && t.base >= 0 && t.base <= 1 && t.tail >= 0 && t.tail <= 1) || !(t.slower > 0) || !(t.bears >= 0) || t.hog < 0 {
		return "", "", t, errors.New("rates are between 0 and 1, the factor on the latency is above 0, and nothing is negative")
	}
	return host, port, t, nil
}

func env(name, fallback string) string { return cmp.Or(os.Getenv(name), fallback) }

// hold takes memory, and uses it: what is only asked for costs nothing.
func hold(mib int) []byte {
	memory := make([]byte, mib<<20)
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	return memory
}

// number returns a value that parse refuses when the text is not a number.
func number(name, fallback string) float64 {
	n, err := strconv.ParseFloat(env(name, fallback), 64)
	if err != nil {
		return -1
	}
	return n
}
