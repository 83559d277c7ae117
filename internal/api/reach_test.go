package api_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api"
	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/stage"
)

// regional makes a worker's token for production in the regions.
func (r *rig) regional(name string, regions ...string) *client.Client {
	r.t.Helper()
	if _, err := r.auth.CreateUser(r.t.Context(), root, auth.NewUser{Name: name}); err != nil {
		r.t.Fatal(err)
	}
	return r.client(r.token(auth.NewToken{User: name, Name: name, Worker: true, Environments: []string{"production"}, Regions: regions}))
}

func TestATokenIsForItsRegions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	north, west := r.regional("w-north", "north"), r.regional("w-west", "west")
	d := ship(t, ann, client.NewRelease{
		Definition: "service: shop\nhost: {run: ./shop}\nenvironments: [{name: production, region: north, host: {listen: \"127.0.0.1:8080\"}, stages: [deploy]}]",
		Version:    "v1", Artifact: "https://example.com/shop", Digest: digest1,
	})
	ask := stage.LeaseAsk{Worker: "w", Max: 1, Regions: []string{"north"}}
	_, err := west.Lease(t.Context(), ask)
	refused(t, err, fault.Denied, "the worker asks for all environments in north, and its token is for production in west")
	ask.Regions = []string{"west", "north"}
	_, err = west.Lease(t.Context(), ask)
	refused(t, err, fault.Denied, "asks for all environments in west, north, and its token is for production in west")
	_, err = west.Take(t.Context(), inquiry.Wish{Worker: "w", Regions: []string{"north"}})
	refused(t, err, fault.Denied, "its token is for production in west")
	if tasks, err := west.Lease(t.Context(), stage.LeaseAsk{Worker: "w", Max: 1}); err != nil || len(tasks) != 0 {
		t.Errorf("a worker of the west leased %v: %v", tasks, err)
	}
	tasks, err := north.Lease(t.Context(), stage.LeaseAsk{Worker: "w", Max: 1})
	if err != nil || len(tasks) != 1 || tasks[0].Release != d.ID || tasks[0].Region != "north" {
		t.Fatalf("the worker of the north leased %+v: %v", tasks, err)
	}
	rep := stage.Report{Task: tasks[0].ID, Release: d.ID, Environment: "production", Region: "north", Worker: "w", Fence: tasks[0].Fence, Outcome: passed}
	_, err = west.Report(t.Context(), rep)
	refused(t, err, fault.Denied, "asks for production in north, and its token is for production in west")
	// One that lies about the region does not reach the task either.
	rep.Region = "west"
	if reply, err := west.Report(t.Context(), rep); err != nil || !reply.Cancelled {
		t.Errorf("a report for another region = %+v, %v", reply, err)
	}
	rep.Region = ""
	_, err = west.Report(t.Context(), rep)
	refused(t, err, fault.Denied, "its token is for production in west")
	report(t, north, tasks[0], passed)
}

func TestWorkersShowTheirCertificateWhereTheyMust(t *testing.T) {
	t.Parallel()
	var handler http.Handler
	r := newRig(t, func(c *api.Config) {
		c.WorkerCertificates = true
		// The connection of the test is plain; who shows a certificate is played here.
		c.Wrap = func(h http.Handler) http.Handler {
			handler = h
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.Header.Get("User-Agent") == "certified" {
					req.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}
				}
				handler.ServeHTTP(w, req)
			})
		}
	})
	ann := r.person("ann", auth.Developer)
	ship(t, ann, newRelease("v1", digest1)) // people need none
	token := map[string]string{"Authorization": "Bearer " + r.token(auth.NewToken{User: "ann", Name: "w", Worker: true})}
	if res, body := r.call(http.MethodPost, "/v1/worker/lease", `{"worker":"w","max":1,"wait":0}`, token); res.StatusCode != http.StatusForbidden {
		t.Errorf("without a certificate: %s: %s", res.Status, body)
	}
	token["User-Agent"] = "certified"
	if res, body := r.call(http.MethodPost, "/v1/worker/lease", `{"worker":"w","max":1,"wait":0}`, token); res.StatusCode != http.StatusOK {
		t.Errorf("with one: %s: %s", res.Status, body)
	}
}

func TestAServerGreetsWorkers(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	r := newRig(t, func(c *api.Config) { c.Now = func() time.Time { return clock } })
	west := r.regional("w-west", "west")
	hello := stage.Hello{Worker: "w", Regions: []string{"west"}, Wire: stage.Wire, OldestWire: stage.OldestServer}
	w, err := west.Hello(t.Context(), hello)
	if err != nil || !w.Understood(hello) || !w.Now.Equal(clock) || w.Version != "test" {
		t.Errorf("the welcome is %+v: %v", w, err)
	}
	hello.Regions = []string{"north"}
	_, err = west.Hello(t.Context(), hello)
	refused(t, err, fault.Denied, "the worker asks for all environments in north, and its token is for production in west")
	_, err = r.person("ann", auth.Developer).Hello(t.Context(), hello)
	refused(t, err, fault.Denied, "ann is not a worker")
}

// Workers and servers of two versions work together: a word that a server does not know is
// refused in a way that the worker takes for that.
func TestAWishForTasksIsUnderstoodFromVersionToVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	ship(t, ann, newRelease("v1", digest1))
	token := map[string]string{"Authorization": "Bearer " + r.token(auth.NewToken{User: "ann", Name: "w", Worker: true})}
	for ask, want := range map[string]int{
		`{"worker":"w","max":1,"wait":0}`:                                 http.StatusOK, // as workers of version 3 of the wire ask
		`{"worker":"w","max":1,"wait":0,"jobs":0}`:                        http.StatusOK,
		`{"worker":"w","max":100,"wait":0,"jobs":0,"full":true}`:          http.StatusOK,
		`{"worker":"w","max":1,"wait":0,"jobs":0,"full":true,"later":1}`:  http.StatusUnprocessableEntity,
		`{"worker":"w","max":1,"wait":0,"jobs":"none","holding":["one"]}`: http.StatusUnprocessableEntity,
	} {
		if res, body := r.call(http.MethodPost, "/v1/worker/lease", ask, token); res.StatusCode != want {
			t.Errorf("%s: %s: %s", ask, res.Status, body)
		}
	}
}
