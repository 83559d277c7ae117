package kubernetes

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/fairwayhq/fairway/internal/fault"
)

// The question is left out only where it cannot be asked: an API server in trouble says
// nothing about rights.
func TestRightsThatCannotBeAskedForAreNotTakenForGranted(t *testing.T) {
	for status, want := range map[int]fault.Code{
		http.StatusForbidden: "", http.StatusNotFound: "", http.StatusMethodNotAllowed: "",
		http.StatusInternalServerError: fault.Unavailable, http.StatusTooManyRequests: fault.Unavailable, http.StatusUnauthorized: fault.Denied,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": %d, "reason": %q}`, status, reasonOf[status])
		}))
		client, err := dynamic.NewForConfig(&rest.Config{Host: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		p := &Platform{cluster: &cluster{client: client}, settings: Settings{Namespace: "shop"}}
		err = p.permitted(t.Context(), nil)
		if want == "" && err != nil || want != "" && fault.CodeOf(err) != want {
			t.Errorf("an answer of %d is told as %v", status, err)
		}
		server.Close()
	}
}

var reasonOf = map[int]string{
	http.StatusForbidden: "Forbidden", http.StatusNotFound: "NotFound", http.StatusMethodNotAllowed: "MethodNotAllowed",
	http.StatusInternalServerError: "InternalError", http.StatusTooManyRequests: "TooManyRequests", http.StatusUnauthorized: "Unauthorized",
}
