package app

import (
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/fairwayhq/fairway/internal/fault"
)

// tokenFile is a file with a token, which may be replaced at any time.
type tokenFile struct {
	path string
	log  *slog.Logger

	mu sync.Mutex
	// good is what it had when it could be read last.
	good    string
	missing bool
}

// openTokenFile reads it for the first time.
func openTokenFile(path string, log *slog.Logger) (*tokenFile, error) {
	f := &tokenFile{path: path, log: log}
	text, err := f.read()
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the token cannot be read: %w", err).
			WithHint("make one with `fairway token add --name NAME --worker`, and put it into the file")
	}
	f.good = text
	return f, nil
}

func (f *tokenFile) read() (string, error) {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fault.Errorf(fault.Invalid, "the file %s is empty", f.path)
	}
	return token, nil
}

// Now is the token that the file has now. While it cannot be read, as it may be while it
// is replaced, it is the one before.
func (f *tokenFile) Now() (string, error) {
	text, err := f.read()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		if !f.missing {
			f.log.Warn("The token cannot be read; the one before is used.", "file", f.path, "error", err)
		}
		f.missing = true
		return f.good, nil
	}
	if text != f.good {
		f.log.Info("The token was replaced.", "file", f.path)
	}
	f.good, f.missing = text, false
	return text, nil
}
