package cluster

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"
)

// counted is the group of all users whose requests are written down.
const counted = "fairway.test:counted"

// auditLog is the API server's file of what was asked by whom, one JSON object a line.
const auditLog = "audit.log"

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: Metadata, userGroups: ["` + counted + `"]}
- {level: None}
`

// Request is one that the API server has answered.
type Request struct {
	// Verb is Kubernetes' own: get, list, watch, create, update, patch, delete …
	Verb string
	// URI is the path with the query.
	URI string
	// At is when it came; for a watch too, which is written down when it ends.
	At time.Time
	// Status is the HTTP status of the answer.
	Status int
}

// KubeconfigFor writes a file for programs on this machine, as a user of that name and
// those groups, and returns its path. What such a user asks is written down for
// Requests. What it may do is up to the cluster's roles; the group "system:masters" may
// do everything.
func (c *Cluster) KubeconfigFor(user string, groups ...string) (string, error) {
	p, err := c.authority.issue(user, append([]string{counted}, groups...))
	if err != nil {
		return "", err
	}
	outside, err := c.Forward(net.JoinHostPort("127.0.0.1", apiPort))
	if err != nil {
		return "", err
	}
	name := strings.ReplaceAll(user, ":", "-") + ".outside.kubeconfig" // in KUBECONFIG, colons part files
	ca := pair{cert: toPEM("CERTIFICATE", c.authority.cert.Raw)}
	// Whoever was given the path before may be reading it.
	if err := c.write(name+".new", kubeconfig("https://"+outside, ca, p)); err != nil {
		return "", err
	}
	return c.path(name), os.Rename(c.path(name+".new"), c.path(name))
}

// Requests are those of a user made by KubeconfigFor that came from one instant until
// before another, watches among them, in the order of their answers.
func (c *Cluster) Requests(user string, from, to time.Time) ([]Request, error) {
	f, err := os.Open(c.path(auditLog))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing was asked yet
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []Request
	lines := bufio.NewReader(f)
	for {
		// The last line may be half written.
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return all, nil
		}
		var event struct {
			Verb       string
			RequestURI string    `json:"requestURI"`
			At         time.Time `json:"requestReceivedTimestamp"`
			User       struct{ Username string }
			Response   struct{ Code int } `json:"responseStatus"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("read the log of requests: %w", err)
		}
		if event.User.Username == user && !event.At.Before(from) && event.At.Before(to) {
			all = append(all, Request{Verb: event.Verb, URI: event.RequestURI, At: event.At, Status: event.Response.Code})
		}
	}
}
