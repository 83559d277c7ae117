package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/fairwayhq/fairway/internal/process"
)

// API is a small client of the API server: enough to put manifests in and to see what
// becomes of them.
type API struct {
	url    string
	client *http.Client
}

// StatusError is an answer that is not a success.
type StatusError struct {
	Code    int
	Message string
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// Condition is what most objects say about themselves.
type Condition struct{ Type, Status, Reason, Message string }

// IsTrue tells whether the condition of a type is there and true.
func IsTrue(conditions []Condition, kind string) bool {
	for _, c := range conditions {
		if c.Type == kind {
			return c.Status == "True"
		}
	}
	return false
}

// Get reads an object or a list by its path, such as
// /apis/apps/v1/namespaces/default/deployments/shop. into may be nil.
func (a *API) Get(ctx context.Context, path string, into any) error {
	return a.Do(ctx, http.MethodGet, path, "", nil, into)
}

// Do sends any request. A nil body is none.
func (a *API) Do(ctx context.Context, method, path, contentType string, body []byte, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := a.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		e := &StatusError{Code: answer.StatusCode}
		if json.Unmarshal(text, e) != nil {
			e.Message = string(text)
		}
		e.Code = answer.StatusCode
		return fmt.Errorf("%s %s: %w", method, path, e)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// Apply makes objects be as the manifests say: YAML, with --- between objects. They go
// into the namespace default, unless they name one.
func (a *API) Apply(ctx context.Context, manifests string) error {
	for _, text := range betweenObjects.Split(manifests, -1) {
		var o object
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			return fmt.Errorf("read a manifest: %w", err)
		}
		if o.Kind == "" {
			continue // comments, or nothing
		}
		path, err := a.path(ctx, o)
		if err != nil {
			return err
		}
		const query = "?fieldManager=test&force=true"
		if err := a.Do(ctx, http.MethodPatch, path+query, "application/apply-patch+yaml", []byte(text), nil); err != nil {
			return err
		}
	}
	return nil
}

// Until reads an object again and again, until it is so.
func (a *API) Until(ctx context.Context, path string, into any, so func() bool) error {
	return a.until(ctx, path+" is as awaited", func() error {
		if err := a.Get(ctx, path, into); err != nil {
			return err
		}
		if !so() {
			last, _ := json.Marshal(into)
			return fmt.Errorf("it is %s", last)
		}
		return nil
	})
}

// until tries something until it succeeds. An error says what it was like at the end.
func (a *API) until(ctx context.Context, what string, try func() error) error {
	const pause = 50 * time.Millisecond
	var last error
	for {
		err := try()
		if err == nil {
			return nil
		}
		// The end of the waiting is not what was wrong all the time.
		if ctx.Err() == nil {
			last = err
		}
		if err := process.Wait(ctx, pause); err != nil {
			return fmt.Errorf("wait until %s: %w; at last: %w", what, err, errors.Join(last))
		}
	}
}

var betweenObjects = regexp.MustCompile(`(?m)^---\s*$`)

// object is the part of a manifest that says where it belongs.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	} `yaml:"metadata"`
}

// path asks the API server under which name it keeps objects of this kind.
func (a *API) path(ctx context.Context, o object) (string, error) {
	base := "/apis/" + o.APIVersion
	if !strings.Contains(o.APIVersion, "/") {
		base = "/api/" + o.APIVersion
	}
	var known struct {
		Resources []struct {
			Name, Kind string
			Namespaced bool
		}
	}
	if err := a.Get(ctx, base, &known); err != nil {
		return "", err
	}
	for _, r := range known.Resources {
		switch {
		case r.Kind != o.Kind || strings.Contains(r.Name, "/"):
		case !r.Namespaced:
			return base + "/" + r.Name + "/" + o.Metadata.Name, nil
		default:
			namespace := o.Metadata.Namespace
			if namespace == "" {
				namespace = "default"
			}
			return base + "/namespaces/" + namespace + "/" + r.Name + "/" + o.Metadata.Name, nil
		}
	}
	return "", fmt.Errorf("the API server knows no %s in %s", o.Kind, o.APIVersion)
}
