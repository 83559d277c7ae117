package kubernetes_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// registryAddress is where a registry answers within a cluster. It is of the loopback, on
// which runtimes ask without TLS.
const registryAddress = "127.0.0.1:5000"

// asRegistry makes the test's program a registry that has no image.
const asRegistry = "FAIRWAY_TEST_REGISTRY"

func TestMain(m *testing.M) {
	if os.Getenv(asRegistry) == "" {
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, http.ListenAndServe(registryAddress, emptyRegistry()))
	os.Exit(1)
}

// emptyRegistry answers all that is asked of images named busy with 429, until a PUT of any
// other status to /answers, and of others that there are none.
func emptyRegistry() http.Handler {
	var busy atomic.Int32
	busy.Store(http.StatusTooManyRequests)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			var status int32
			_, _ = fmt.Sscanf(r.URL.Path, "/answers/%d", &status)
			busy.Store(status)
		case r.URL.Path == "/v2/":
		case strings.HasPrefix(r.URL.Path, "/v2/busy/"):
			w.WriteHeader(int(busy.Load()))
		default:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}`)
		}
	})
}

// registry starts one in the cluster, and returns what changes its answers.
func (r *rig) registry(t *testing.T) (answer func(t *testing.T, status int)) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := r.Command(t.Context(), self)
	cmd.Env = append(cmd.Env, asRegistry+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	outside, err := r.Forward(registryAddress)
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, status int) {
		t.Helper()
		put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, fmt.Sprintf("http://%s/answers/%d", outside, status), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(put)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
}
