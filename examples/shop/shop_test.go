package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func serve(t *testing.T, traits traits) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(newShop(traits, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	return server
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestAnswersNameTheVersion(t *testing.T) {
	server := serve(t, traits{version: "v7", slower: 1})
	for path, status := range map[string]int{"/": 200, "/products": 200, "/products/buoy": 200, "/cart": 200, "/healthz": 200, "/products/none": 404} {
		response, body := get(t, server.URL+path)
		if response.StatusCode != status || response.Header.Get("Shop-Version") != "v7" || !strings.Contains(body, `"version":"v7"`) {
			t.Errorf("%s: %s, header %q, body %s", path, response.Status, response.Header.Get("Shop-Version"), body)
		}
	}
	if _, body := get(t, server.URL+"/products"); len(body) < 768 || len(body) > 1280 {
		t.Errorf("an answer has %d bytes, not about 1 KiB", len(body))
	}
}

func TestFaultsFailAnswersButNotTheHealthCheck(t *testing.T) {
	server := serve(t, traits{version: "v3", slower: 1, faults: 1})
	if response, _ := get(t, server.URL+"/products"); response.StatusCode != 500 || response.Header.Get("Shop-Fault") != "injected" {
		t.Errorf("products answer %s, marked %q", response.Status, response.Header.Get("Shop-Fault"))
	}
	if response, _ := get(t, server.URL+"/healthz"); response.StatusCode != 200 {
		t.Errorf("the health check answers %s", response.Status)
	}
}

func TestOnlyWhatTheVersionDoesWrongIsMarked(t *testing.T) {
	base := serve(t, traits{version: "v1", slower: 1, base: 1})
	if response, _ := get(t, base.URL+"/products"); response.StatusCode != 500 || response.Header.Get("Shop-Fault") != "" {
		t.Errorf("a fault of every version answers %s, marked %q", response.Status, response.Header.Get("Shop-Fault"))
	}
	late := serve(t, traits{version: "v3", slower: 1, delay: 50 * time.Millisecond})
	began := time.Now()
	response, _ := get(t, late.URL+"/products")
	if took := time.Since(began); took < 50*time.Millisecond || response.StatusCode != 200 || response.Header.Get("Shop-Fault") != "injected" {
		t.Errorf("a late answer is %s after %s, marked %q", response.Status, took, response.Header.Get("Shop-Fault"))
	}
}

func TestMoreThanItBearsIsTurnedAway(t *testing.T) {
	s := &shop{traits: traits{bears: 10}}
	begin := time.Now()
	admitted := 0
	for i := range 200 { // in two seconds
		if s.admit(begin.Add(time.Duration(i) * 10 * time.Millisecond)) {
			admitted++
		}
	}
	if admitted < 28 || admitted > 31 {
		t.Errorf("admitted %d: a second's worth at once, and ten a second", admitted)
	}
}

func TestLatencyHasItsMedianAndItsTail(t *testing.T) {
	const n = 20_000
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = latency(1, 0.01)
	}
	slices.Sort(all)
	if median := all[n/2]; median < 2800*time.Microsecond || median > 3200*time.Microsecond {
		t.Errorf("the median is %s", median)
	}
	if slow := all[n*995/1000]; slow < 20*time.Millisecond {
		t.Errorf("the slowest half percent begins at %s", slow)
	}
	if fast, slowed := all[n/2], latencyMedian(1.3); float64(slowed)/float64(fast) < 1.2 {
		t.Errorf("1.3 times slower is %s, not slower than %s by that", slowed, fast)
	}
}

func latencyMedian(slower float64) time.Duration {
	all := make([]time.Duration, 5001)
	for i := range all {
		all[i] = latency(slower, 0)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func TestABuildSetsVersionAndFaults(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "shop")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v4 -X main.failStart=true", "-o", bin, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	start := exec.Command(bin, "--port", "0")
	start.Env = os.Environ()
	out, err := start.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "version v4 cannot start") {
		t.Errorf("err %v, output %s", err, out)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	for _, args := range [][]string{{"-error-rate", "2"}, {"-slower", "0"}, {"-error-rate", "NaN"}, {"-delay", "long"}, {"-bears", "-1"}, {"-hog", "-1"}, {"-nonsense"}} {
		if _, _, _, err := parse(args); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
	t.Setenv("SHOP_ERROR_RATE", "much")
	if _, _, _, err := parse(nil); err == nil {
		t.Error("SHOP_ERROR_RATE=much was accepted")
	}
}
