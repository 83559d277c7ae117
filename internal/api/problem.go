package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// statuses is the one map from faults to HTTP. A request that cannot be read at
// all (not JSON) is 400, one that can be read but makes no sense is 422; a missing
// or unknown token is 401, before any use case is asked.
var statuses = map[fault.Code]int{
	fault.Invalid:     http.StatusUnprocessableEntity,
	fault.NotFound:    http.StatusNotFound,
	fault.Conflict:    http.StatusConflict,
	fault.Denied:      http.StatusForbidden,
	fault.Unavailable: http.StatusServiceUnavailable,
	fault.Internal:    http.StatusInternalServerError,
}

// codes goes the other way, for what the HTTP layer itself refuses.
var codes = map[int]fault.Code{
	http.StatusNotFound:           fault.NotFound,
	http.StatusConflict:           fault.Conflict,
	http.StatusUnauthorized:       fault.Denied,
	http.StatusForbidden:          fault.Denied,
	http.StatusRequestTimeout:     fault.Unavailable,
	http.StatusServiceUnavailable: fault.Unavailable,
}

// problem is an error on the wire.
type problem client.Problem

// Error returns the detail.
func (p *problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// ContentType marks the body as a problem (RFC 9457).
func (p *problem) ContentType(string) string { return "application/problem+json" }

// problemOf turns an error into what a client may know of it.
func problemOf(err error) *problem {
	var already *problem
	if errors.As(err, &already) {
		return already
	}
	code := fault.CodeOf(err)
	status := statuses[code]
	p := &problem{
		Title: http.StatusText(status), Status: status, Detail: fault.MessageOf(err),
		Code: string(code), Hint: fault.HintOf(err),
	}
	if code == fault.Internal {
		p.Hint = ""
	}
	var faults pipeline.Faults
	if errors.As(err, &faults) {
		if b, err := json.Marshal(faults); err == nil {
			p.Faults = b
		}
	}
	return p
}

func newProblem(status int, detail, hint string) *problem {
	code, ok := codes[status]
	if !ok {
		code = fault.Invalid
		if status >= 500 {
			code = fault.Internal
		}
	}
	return &problem{Title: http.StatusText(status), Status: status, Detail: detail, Code: string(code), Hint: hint}
}

// writeProblem answers with the problem, outside of the handlers that huma wraps.
func writeProblem(w http.ResponseWriter, p *problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client may be gone; there is nobody to tell
}

// fail turns a use case's error into a problem, and logs what the client must not see.
func fail(ctx context.Context, log *slog.Logger, err error) *problem {
	p := problemOf(err)
	if p.Code == string(fault.Internal) {
		log.ErrorContext(ctx, "A request failed.", "error", err)
	}
	return p
}

// useProblems makes huma speak in problems of this form. Its setting is one for
// the whole process.
var useProblems = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return refusal(status, message, errs)
	}
	huma.NewErrorWithContext = func(_ huma.Context, status int, message string, errs ...error) huma.StatusError {
		return refusal(status, message, errs)
	}
	huma.DefaultArrayNullable = false
})

// refusal is what huma has to say about a request: an unknown field, a body that
// is too large. Values are left out, since they may be secrets.
func refusal(status int, message string, errs []error) *problem {
	if status >= 500 {
		return problemOf(fault.Errorf(fault.Internal, "%s", message))
	}
	var said []string
	for _, err := range errs {
		var d *huma.ErrorDetail
		switch {
		case errors.As(err, &d) && d.Location != "":
			said = append(said, d.Location+": "+d.Message)
		case err != nil:
			said = append(said, err.Error())
		}
	}
	detail := message
	if len(said) > 0 {
		detail = strings.Join(said, "; ")
	}
	return newProblem(status, detail, client.UnreadHint)
}
