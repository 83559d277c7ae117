// Odd is a service that behaves badly, for stories: it does what its flags say.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	port := flag.String("port", "", "where to listen")
	never := flag.Bool("never-ready", false, "answer every readiness check with 503")
	exit := flag.Int("exit", -1, "end at once with this status")
	deaf := flag.Bool("deaf", false, "ignore SIGTERM")
	crash := flag.String("crash-when", "", "crash while this file exists, 50 ms after the first look")
	pidFile := flag.String("pid-file", "", "where to write the pid")
	version := flag.String("version", "odd", "what to say about itself")
	flag.Parse()
	if *exit >= 0 {
		fmt.Fprintln(os.Stderr, "odd: I do not want to start")
		os.Exit(*exit)
	}
	if *deaf {
		signal.Ignore(syscall.SIGTERM)
	}
	if *pidFile != "" {
		if err := os.WriteFile(*pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, "odd:", err)
			os.Exit(1)
		}
	}
	if *crash != "" {
		go crashWhen(*crash)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Shop-Version", *version)
		if *never {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, "%s %d\n", *version, os.Getpid())
	})
	fmt.Fprintln(os.Stderr, "odd:", http.ListenAndServe("127.0.0.1:"+*port, nil))
	os.Exit(1)
}

func crashWhen(file string) {
	for range time.Tick(50 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			panic("odd: the file " + file + " is there")
		}
	}
}
