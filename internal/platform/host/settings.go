package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Settings are what a fairway.yaml says under `host:`. They travel in
// platform.Revision.Settings as strict JSON with the same keys.
type Settings struct {
	// Run is the command line: a list, or a string that is split as a shell would
	// (quotes and backslashes, nothing else). $PORT, $HOST and $ARTIFACT are
	// replaced; $ARTIFACT is the executable, or the folder of an unpacked archive.
	// The working folder holds the artifact and the config files.
	Run Command `json:"run"`
	// Listen is the router's address for users, for instance "127.0.0.1:8080".
	Listen string `json:"listen"`
	// Hosts restricts the service to requests with these host names; none means all.
	Hosts []string `json:"hosts,omitempty"`
	// Ready says how an instance shows that it can serve.
	Ready Ready `json:"ready,omitzero"`
	// Instances is how many copies run where the caller names no number. Default 1.
	Instances int `json:"instances,omitempty"`
	// StopTimeout is how long an instance may take to end after SIGTERM before its
	// process group is killed. Default 10s.
	StopTimeout Duration `json:"stopTimeout,omitempty"`
	// Drain is how long a revision may go on answering the requests it has when it
	// is retired. Default 30s.
	Drain Duration `json:"drain,omitempty"`
	// Env is added to the environment; $PORT, $HOST and $ARTIFACT are replaced.
	Env map[string]string `json:"env,omitempty"`
	// Sticky keeps a user on the side that answered first.
	Sticky Sticky `json:"sticky,omitzero"`
}

// Ready is the readiness check: GET Path on the instance.
type Ready struct {
	// Path begins with a slash. Default "/".
	Path string `json:"path,omitempty"`
	// Status is the answer that counts as ready; 0 takes any 2xx.
	Status int `json:"status,omitempty"`
	// Timeout is how long an instance may take, from its start, to become ready. Default 30s.
	Timeout Duration `json:"timeout,omitempty"`
	// Interval is the time between two checks. Default 200ms.
	Interval Duration `json:"interval,omitempty"`
}

// Sticky names the cookie or the header by which users are told apart; at most one is set.
type Sticky struct {
	Cookie string `json:"cookie,omitempty"`
	Header string `json:"header,omitempty"`
}

// Duration is written as "1m30s".
type Duration = platform.Duration

// ParseSettings reads the settings of a revision: defaults, then strict JSON,
// then Validate. All faults come back in one fault.Invalid.
func ParseSettings(raw []byte) (Settings, error) {
	s := Settings{
		Ready:       Ready{Path: "/", Timeout: Duration(30 * time.Second), Interval: Duration(200 * time.Millisecond)},
		Instances:   1,
		StopTimeout: Duration(10 * time.Second),
		Drain:       Duration(30 * time.Second),
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return s, fault.Errorf(fault.Invalid, "the revision has no host settings").
			WithHint("say under `host:` at least what to run and where to listen")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return s, fault.Errorf(fault.Invalid, "host settings: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return s, fault.Errorf(fault.Invalid, "host settings: there is text after the closing brace")
	}
	if faults := s.Validate(); len(faults) > 0 {
		return s, fault.Errorf(fault.Invalid, "host settings: %w", errors.Join(faults...))
	}
	return s, nil
}

// Validate returns every fault of the settings, each beginning with its key.
func (s Settings) Validate() []error {
	var faults []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	refuse(len(s.Run) == 0 || s.Run[0] == "", "run: say which command to start, for instance \"./shop --port $PORT\"")
	if err := checkListen(s.Listen); err != nil {
		faults = append(faults, err)
	}
	for i, host := range s.Hosts {
		refuse(host == "" || strings.ContainsAny(host, " /:") || host != strings.ToLower(host), "hosts[%d]: %q is not a host name in lower case and without port", i, host)
	}
	refuse(!strings.HasPrefix(s.Ready.Path, "/"), "ready.path: %q does not begin with a slash", s.Ready.Path)
	refuse(s.Ready.Status != 0 && (s.Ready.Status < 200 || s.Ready.Status > 599), "ready.status: %d is not the status of an answer", s.Ready.Status)
	refuse(s.Ready.Timeout <= 0, "ready.timeout: must be longer than 0s")
	refuse(time.Duration(s.Ready.Interval) < 10*time.Millisecond, "ready.interval: must be at least 10ms")
	refuse(s.Instances < 1 || s.Instances > maxInstances, "instances: %d is not between 1 and %d", s.Instances, maxInstances)
	refuse(s.StopTimeout <= 0, "stopTimeout: must be longer than 0s")
	refuse(s.Drain < 0, "drain: must not be negative")
	for name := range s.Env {
		refuse(!validEnvName(name), "env: %q cannot be the name of a variable", name)
	}
	refuse(s.Sticky.Cookie != "" && s.Sticky.Header != "", "sticky: name a cookie or a header, not both")
	return faults
}

// maxInstances bounds what one machine is asked to run of one revision.
const maxInstances = 256

func checkListen(listen string) error {
	if listen == "" {
		return errors.New("listen: say at which address users reach the service, for instance \"127.0.0.1:8080\"")
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen: %q is not host:port", listen)
	}
	if n, err := net.LookupPort("tcp", port); err != nil || n < 0 {
		return fmt.Errorf("listen: %q has no usable port", listen)
	}
	return nil
}

func validEnvName(name string) bool {
	return name != "" && !strings.ContainsAny(name, "=\x00 ")
}
