package api

import (
	"net/http"
	"strings"
)

// refuseChanges is for a server that only shows. People log in and out, as they must to see
// anything; workers get nothing, and a question to a worker would wait for one in vain.
func refuseChanges(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		session := r.URL.Path == "/v1/login" || r.URL.Path == "/v1/logout"
		if reads || session || !strings.HasPrefix(r.URL.Path, "/v1/") {
			next.ServeHTTP(w, r)
			return
		}
		writeProblem(w, newProblem(http.StatusForbidden, "this server only shows what its database has (--read-only)",
			"change releases at the server that runs them"))
	})
}
