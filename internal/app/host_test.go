package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/sealed"
)

func TestAnOpeningKeyForEverybodyIsWarnedOf(t *testing.T) {
	key, err := sealed.NewOpeningKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.Text()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "worker.key")
	for _, c := range []struct {
		mode   os.FileMode
		warned bool
	}{{0o600, false}, {0o440, false}, {0o644, true}} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, c.mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		keys, err := readOpeningKeys(file, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil || len(keys) != 1 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		if strings.Contains(log.String(), file) != c.warned {
			t.Errorf("a file of mode %s: %q", c.mode, log.String())
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnOpeningKeyThatIsNotThereIsTold(t *testing.T) {
	_, err := readOpeningKeys(filepath.Join(t.TempDir(), "none"), slog.New(slog.DiscardHandler))
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.HintOf(err), "fairway key") {
		t.Errorf("%v", err)
	}
}
