package certificate

import (
	"crypto/tls"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Server is how a server shows the certificate of the files. Where they name a CA, a
// client may show a certificate too, which must then be from there: who has to show one
// is decided by request.
func Server(f Files, warn func(error)) (*tls.Config, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	if f.Cert == "" {
		return nil, fault.Errorf(fault.Invalid, "a server needs a certificate to speak TLS").WithHint("name its file and that of its key")
	}
	config, err := newFresh(f.names(), f.server, warn)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return config.now(), nil },
	}, nil
}

var protocols = []string{"h2", "http/1.1"}

func (f Files) server() (*tls.Config, error) {
	own, err := f.own()
	if err != nil {
		return nil, err
	}
	clients, err := f.authorities()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols, Certificates: own}
	if clients != nil {
		c.ClientCAs, c.ClientAuth = clients, tls.VerifyClientCertIfGiven
	}
	return c, nil
}
