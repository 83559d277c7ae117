package api

import (
	"fmt"
	"io"
	"net/http"
)

// How large a request may be.
const (
	maxBody        = 1 << 20
	maxReleaseBody = 8 << 20
	// drained is how much of a refused body is still read, so that a client which
	// sends everything before it reads the answer gets to see it.
	drained = 64 << 20
)

// limitBodies refuses a body that says it is too large, and cuts off one that
// turns out to be.
func limitBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxBody)
		if r.Method == http.MethodPost {
			switch r.URL.Path {
			case "/v1/releases", "/v1/inquiries":
				limit = maxReleaseBody
			case "/v1/worker/report":
				limit = maxReport
			case "/v1/worker/answers":
				limit = maxAnswer
			}
		}
		if r.ContentLength > limit {
			_, _ = io.CopyN(io.Discard, r.Body, drained)
			writeProblem(w, tooLarge(r.ContentLength, limit))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit+1)
		next.ServeHTTP(w, r)
	})
}

func tooLarge(size, limit int64) *problem {
	detail := fmt.Sprintf("the request is %.1f MiB, more than the %d MiB that are allowed", float64(size)/(1<<20), limit>>20)
	return newProblem(http.StatusRequestEntityTooLarge, detail,
		"a fairway.yaml has a few kilobytes; keep large files out of its config")
}
