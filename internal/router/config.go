package router

import (
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Config is what a router process is started with.
type Config struct {
	// StateDir holds the table and the admin socket. It is made if it is missing.
	StateDir string
	// CertFile and KeyFile are the certificate for routes with TLS; PEM. They are
	// read again by a router that takes over.
	CertFile, KeyFile string
	// NoRevisionHeader leaves out Fairway-Revision, the header in which answers
	// name the revision that gave them.
	NoRevisionHeader bool
	// DrainTimeout is how long requests in flight may go on after the process was
	// told to stop or was taken over; 30 s when 0.
	DrainTimeout time.Duration
	// Log takes what happens; slog.Default when nil.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Validate returns the first fault of the configuration.
func (c Config) Validate() error {
	if c.StateDir == "" {
		return fault.Errorf(fault.Invalid, "the router has no state directory").WithHint("give one with --state-dir")
	}
	// A unix socket's path has at most 108 bytes, 104 on macOS.
	if p := handoverSocket(c.StateDir); len(p) > 100 {
		return fault.Errorf(fault.Invalid, "the path %s is too long for a socket", p).
			WithHint("choose a shorter state directory")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return fault.Errorf(fault.Invalid, "a certificate needs its key, and a key its certificate")
	}
	return nil
}

func (c Config) tls() (*tls.Config, error) {
	if c.CertFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read the router's certificate: %w", err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{"h2", "http/1.1"},
		MinVersion:   tls.VersionTLS12,
	}, nil
}

func (c Config) prepareDir() error {
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		return fault.Errorf(fault.Unavailable, "make the router's state directory: %w", err)
	}
	return nil
}

func adminSocket(dir string) string    { return filepath.Join(dir, "admin.sock") }
func handoverSocket(dir string) string { return filepath.Join(dir, "handover.sock") }
func lockFile(dir string) string       { return filepath.Join(dir, "lock") }
func countersFile(dir string) string   { return filepath.Join(dir, "counters.json") }
