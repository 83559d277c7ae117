package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

// firstToken makes an admin and a token where there is nobody yet, and prints the
// token once. Its file lets the command line on the same machine find it.
func firstToken(ctx context.Context, c ServerConfig, a *auth.Service) error {
	path := filepath.Join(c.DataDir, "admin-token")
	keep := func(token string) error { return keepToken(path, token) }
	drop := func(token string) error { return dropToken(path, token) }
	secret, err := a.Bootstrap(ctx, keep, drop)
	if err != nil || secret == "" {
		return err
	}
	_, err = fmt.Fprintf(c.Out, "First start: the user \"admin\" was made. Its token, shown only now (and kept in %s):\n\n  %s\n\n", path, secret)
	return err
}

// keepToken writes the token to a file that only its owner may read. When it
// returns nil the whole file is on disk, also after a power cut.
func keepToken(path, token string) (err error) {
	defer func() {
		if err != nil {
			err = fault.Errorf(fault.Unavailable, "write the first token to %s: %w", path, err).
				WithHint("make room on the disk, or choose another folder with --data-dir")
		}
	}()
	temp := path + ".new" // one that a kill left behind is written anew
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(token + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// dropToken removes the file of a token that does not count, unless another server has put
// its own into it meanwhile.
func dropToken(path, token string) error {
	text, err := os.ReadFile(path)
	if err == nil && string(text) == token+"\n" {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fault.Errorf(fault.Unavailable, "remove a token that does not count: %w", err).WithHint("remove the file %s", path)
	}
	return nil
}
