// Package certificate uses certificates that lie in files and are replaced there, as
// whoever issues them does it: each new connection is made with what the files have then,
// and nobody has to start anything anew.
//
//	config, err := certificate.Server(certificate.Files{Cert: "tls.crt", Key: "tls.key", CA: "workers.crt"}, warn)
//	listener = tls.NewListener(listener, config)
//
//	transport, err := certificate.Transport(certificate.Files{CA: "server-ca.crt"}, warn)
//	client := &http.Client{Transport: transport}
//
// Files that cannot be used at the start are an error. Later ones that cannot, such as a
// new certificate beside the old key, are told once, and the last good ones stay in use.
//
// It issues no certificates, and what a client with a certificate may do is not its matter.
package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Files are PEM files; empty names leave out what they are for.
type Files struct {
	// Cert and Key are the own certificate, with what leads to its authority, and its key.
	Cert, Key string
	// CA has the authorities that the other side's certificate may come from.
	CA string
}

// validate finds a certificate without its key, and the other way round.
func (f Files) validate() error {
	if (f.Cert == "") != (f.Key == "") {
		return fault.Errorf(fault.Invalid, "a certificate and its key belong together: the certificate is %q and the key %q", f.Cert, f.Key).
			WithHint("name both files")
	}
	return nil
}

// names are the files that there are.
func (f Files) names() []string {
	var all []string
	for _, name := range []string{f.Cert, f.Key, f.CA} {
		if name != "" {
			all = append(all, name)
		}
	}
	return all
}

// own reads the own certificate; none where no file is named.
func (f Files) own() ([]tls.Certificate, error) {
	if f.Cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the certificate %s cannot be used with the key %s: %w", f.Cert, f.Key, err).
			WithHint("both are PEM, and the key is the certificate's")
	}
	return []tls.Certificate{pair}, nil
}

// authorities reads the other side's authorities; nil, which means the system's, where no
// file is named.
func (f Files) authorities() (*x509.CertPool, error) {
	if f.CA == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the certificates of the authorities cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fault.Errorf(fault.Invalid, "%s has no certificate", f.CA).WithHint("it is PEM: -----BEGIN CERTIFICATE-----")
	}
	return pool, nil
}
