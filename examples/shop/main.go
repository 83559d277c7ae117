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
	errorRate float64 // share of answers that fail, the base included
	slower    float64 // factor on the latency
	failStart bool
}

func parse(args []string) (host, port string, t traits, err error) {
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	var faults, base float64
	flags.StringVar(&host, "host", env("HOST", "127.0.0.1"), "address to listen on")
	flags.StringVar(&port, "port", env("PORT", "8080"), "port to listen on")
	flags.StringVar(&t.version, "version", env("SHOP_VERSION", version), "version to report")
	flags.Float64Var(&faults, "error-rate", number("SHOP_ERROR_RATE", errorRate), "share of answers that fail, on top of the base")
	flags.Float64Var(&base, "base-error-rate", number("SHOP_BASE_ERROR_RATE", baseErrorRate), "share of answers that fail in every version")
	flags.Float64Var(&t.slower, "slower", number("SHOP_SLOWER", slower), "factor on the latency")
	flags.BoolVar(&t.failStart, "fail-start", env("SHOP_FAIL_START", failStart) == "true", "exit with an error instead of starting")
	if err := flags.Parse(args); err != nil {
		return "", "", t, err
	}
	if !(faults >= 0 && faults <= 1 && base >= 0 && base <= 1) || !(t.slower > 0) {
		return "", "", t, errors.New("rates are between 0 and 1, and the factor on the latency is above 0")
	}
	t.errorRate = min(1, faults+base)
	return host, port, t, nil
}

func env(name, fallback string) string { return cmp.Or(os.Getenv(name), fallback) }

// number returns a value that parse refuses when the text is not a number.
func number(name, fallback string) float64 {
	n, err := strconv.ParseFloat(env(name, fallback), 64)
	if err != nil {
		return -1
	}
	return n
}
