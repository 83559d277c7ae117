package certificate

import (
	"crypto/tls"
	"net/http"
	"time"
)

// idle is how many connections wait for the next request: each task of a worker has
// about one.
const idle = 64

// Transport makes a client's requests: over connections on which it shows the files'
// certificate, if there is one, to a server whose certificate is from the files' CA, or
// from the system's. Files that are replaced count for new connections; those in use go on.
//
// It speaks HTTP/1.1, so that a request without an answer takes its connection down with
// it, and the next one does not wait on a line that is dead.
func Transport(f Files, warn func(error)) (http.RoundTripper, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	t, err := newFresh(f.names(), f.transport, warn)
	if err != nil {
		return nil, err
	}
	t.left = (*http.Transport).CloseIdleConnections
	return roundTripper{t}, nil
}

type roundTripper struct{ *fresh[*http.Transport] }

func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return t.now().RoundTrip(r) }

func (f Files) transport() (*http.Transport, error) {
	own, err := f.own()
	if err != nil {
		return nil, err
	}
	servers, err := f.authorities()
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: own, RootCAs: servers}
	t.ForceAttemptHTTP2 = false
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.MaxIdleConnsPerHost = idle
	t.ResponseHeaderTimeout = 2 * time.Minute
	return t, nil
}
