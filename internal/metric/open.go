package metric

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Deps is what sources need from the process that opens them.
type Deps struct {
	// Router is the router of the host platform; nil where there is none.
	Router RouterCounters
	// HTTP carries the requests to metric stores; nil means the default transport.
	HTTP http.RoundTripper
}

var kinds = map[string]func(json.RawMessage, Deps) (Source, error){
	"prometheus": openPrometheus,
	"router":     openRouter,
}

// Open makes the source of the kind from its configuration, for instance
// Open("prometheus", {"url": …, "requests": …, "errors": …}, deps).
func Open(kind string, config json.RawMessage, deps Deps) (Source, error) {
	open, ok := kinds[kind]
	if !ok {
		return nil, fault.Errorf(fault.Invalid, "there is no metric source %q", kind).
			WithHint("use one of: %s", strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	return open(config, deps)
}

// decodeConfig reads a source's configuration; a key that it does not know is a fault.
func decodeConfig(kind string, raw json.RawMessage, into any) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more follows the object")
		}
	}
	if err != nil {
		return fault.Errorf(fault.Invalid, "the configuration of the metric source %s: %w", kind, err)
	}
	return nil
}
