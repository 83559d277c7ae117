package kubernetes_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The ways in which an API server fails a request.
const (
	busy     = "429"
	broken   = "500"
	away     = "503"
	lost     = "done, and the answer is lost"
	expired  = "a watch is told that its version is gone"
	gone     = "a watch is refused, as its version is gone"
	cut      = "a watch ends without a word"
	inPeriod = 24 // so many of the same request later it fails again in each way
)

// failures are what fails.
type failures int

const (
	everything failures = iota
	nothing
	everyWatch // is told after a second that its version is gone
)

// flaky stands before the API server and answers in its place: the first times that anything
// is asked, and again after some, each in one of the ways above. Nothing is left to chance.
type flaky struct {
	proxy *httputil.ReverseProxy
	fails failures

	mu      sync.Mutex
	asked   map[string]int
	faults  map[string]int
	specs   map[string]string
	effects []string
}

// newFlaky starts one, and returns it with a kubeconfig that leads to it.
func newFlaky(t *testing.T, behind string, fails failures) (*flaky, string) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", behind)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{fails: fails, asked: map[string]int{}, faults: map[string]int{}, specs: map[string]string{}}
	f.proxy = &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Header.Del("Accept-Encoding") // effects are read from the answers
		},
		ModifyResponse: f.note,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: flaky, clusters: [{name: flaky, cluster: {server: %q}}],
		users: [{name: nobody}], contexts: [{name: flaky, context: {cluster: flaky, user: nobody}}]}`, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return f, file
}

type wayKey struct{}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch way := f.way(r); way {
	case busy:
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusTooManyRequests, "TooManyRequests")
	case broken:
		answer(w, http.StatusInternalServerError, "InternalError")
	case away:
		answer(w, http.StatusServiceUnavailable, "ServiceUnavailable")
	case gone:
		answer(w, http.StatusGone, "Expired")
	case lost:
		f.proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	default:
		f.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), wayKey{}, way)))
	}
}

// way chooses how a request fails; empty is not at all.
func (f *flaky) way(r *http.Request) string {
	query := r.URL.Query()
	watch := query.Get("watch") == "true"
	key := fmt.Sprint(r.Method, r.URL.Path, query["dryRun"], query["fieldSelector"], watch)
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.asked[key]
	f.asked[key]++
	way := ""
	switch {
	case f.fails == nothing:
	case f.fails == everyWatch && watch:
		way = expired
	case f.fails == everyWatch:
	case watch:
		way = []string{broken, expired, gone, cut, expired, busy}[n%6]
	case n%inPeriod < 4:
		way = []string{busy, broken, away, lost}[n%inPeriod]
	}
	if way != "" {
		f.faults[way]++
	}
	return way
}

// ending is a watch that goes on for a second and then ends.
func ending(watch io.ReadCloser, way string) io.ReadCloser {
	out, in := io.Pipe()
	stop := time.AfterFunc(time.Second, func() { watch.Close() })
	go func() {
		defer watch.Close()
		defer stop.Stop()
		defer in.Close()
		for lines := bufio.NewReader(watch); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				break
			}
			if _, err := in.Write(line); err != nil {
				return
			}
		}
		if way == expired {
			fmt.Fprintf(in, `{"type": "ERROR", "object": %s}`+"\n", status(http.StatusGone, "Expired"))
		}
	}()
	return out
}

func status(code int, reason string) string {
	return fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "this is a try", "reason": %q, "code": %d}`, reason, code)
}

func answer(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprint(w, status(code, reason))
}

// note writes down what a request has changed: what was made or deleted, and each spec
// that is not as it was.
func (f *flaky) note(r *http.Response) error {
	q := r.Request
	if way, _ := q.Context().Value(wayKey{}).(string); way != "" {
		r.Body = ending(r.Body, way)
		return nil
	}
	if q.Method == http.MethodGet || r.StatusCode/100 != 2 || q.URL.Query().Has("dryRun") || strings.Contains(q.URL.Path, "authorization.k8s.io") {
		return nil
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	var object struct {
		Metadata struct{ Namespace, Name string }
		Spec     map[string]any
		Data     map[string]any
	}
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	path := q.URL.Path
	if q.Method == http.MethodPost {
		path += "/" + object.Metadata.Name
	}
	for _, own := range []string{"clusterIP", "clusterIPs"} { // the cluster chooses them
		delete(object.Spec, own)
	}
	spec, err := json.Marshal([]any{object.Spec, object.Data})
	if err != nil {
		return err
	}
	effect := fmt.Sprintf("%x of %s", sha256.Sum256(bytes.ReplaceAll(spec, []byte(object.Metadata.Namespace), nil)), path)[56:]
	if q.Method == http.MethodDelete {
		effect = "deleted " + path
	}
	if f.specs[path] != effect {
		f.specs[path] = effect
		f.effects = append(f.effects, effect)
	}
	return nil
}
