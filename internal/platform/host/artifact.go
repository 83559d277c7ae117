package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/process"
)

// Artifacts are kept by content. Whatever a reference promises, nothing is used
// before its bytes were found to have the digest that the release names.

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (p *Platform) artifactPath(digest string) string {
	return filepath.Join(p.config.StateDir, "artifacts", strings.Replace(digest, ":", "-", 1))
}

// fetch makes sure that the artifact is in the state folder and whole, and returns its path.
func (p *Platform) fetch(ctx context.Context, a platform.Artifact) (string, error) {
	if !digestForm.MatchString(a.Digest) {
		return "", fault.Errorf(fault.Invalid, "the digest %q of artifact %s is not sha256: and 64 hexadecimal digits", a.Digest, a.Ref)
	}
	kept := p.artifactPath(a.Digest)
	if digest, err := digestOf(kept); err == nil && digest == a.Digest {
		return kept, nil
	}
	source, err := p.open(ctx, a.Ref)
	if err != nil {
		return "", err
	}
	defer func() { _ = source.Close() }()
	if err := p.store(source, a, kept); err != nil {
		return "", err
	}
	return kept, nil
}

// store copies the source into a new file and gives it its name only once the digest is right.
func (p *Platform) store(source io.Reader, a platform.Artifact, kept string) error {
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return diskFault(err, kept)
	}
	temp, err := os.CreateTemp(filepath.Dir(kept), ".fetch-*")
	if err != nil {
		return diskFault(err, kept)
	}
	defer func() { _ = os.Remove(temp.Name()); _ = temp.Close() }()
	hash := sha256.New()
	n, err := io.Copy(diskWriter{io.MultiWriter(temp, hash), kept}, io.LimitReader(source, p.config.MaxArtifact+1))
	switch {
	case err != nil && fault.CodeOf(err) == fault.Unavailable:
		return err
	case err != nil:
		return fault.Errorf(fault.Unavailable, "fetch artifact %s: %w", a.Ref, err)
	case n > p.config.MaxArtifact:
		return fault.Errorf(fault.Invalid, "artifact %s is larger than %d bytes", a.Ref, p.config.MaxArtifact)
	}
	if got := "sha256:" + hex.EncodeToString(hash.Sum(nil)); got != a.Digest {
		return fault.Errorf(fault.Invalid, "artifact %s has the digest %s, the release names %s", a.Ref, got, a.Digest).
			WithHint("the artifact was built again or changed on its way; make a new release from the bytes you mean")
	}
	if err := temp.Sync(); err != nil {
		return diskFault(err, kept)
	}
	if err := os.Rename(temp.Name(), kept); err != nil {
		return diskFault(err, kept)
	}
	return diskFault(process.SyncDir(filepath.Dir(kept)), kept)
}

// diskWriter tells trouble with our disk from trouble with the source.
type diskWriter struct {
	io.Writer
	path string
}

func (w diskWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	return n, diskFault(err, w.path)
}

// open reads a local path, a file:// or an http(s):// reference.
func (p *Platform) open(ctx context.Context, ref string) (io.ReadCloser, error) {
	u, err := url.Parse(ref)
	switch {
	case ref == "":
		return nil, fault.Errorf(fault.Invalid, "the artifact has no reference").WithHint("name a file or a URL")
	case err == nil && (u.Scheme == "http" || u.Scheme == "https"):
		return p.download(ctx, ref)
	case err == nil && u.Scheme == "file":
		return openFile(u.Path, ref)
	case err == nil && strings.Contains(ref, "://"):
		return nil, fault.Errorf(fault.Invalid, "artifact %s: the host platform reads paths, file://, http:// and https://, not %s://", ref, u.Scheme)
	default:
		return openFile(ref, ref)
	}
}

func openFile(name, ref string) (io.ReadCloser, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, fault.Errorf(fault.Invalid, "artifact %s is not there", ref).
			WithHint("the worker looks for it on its own machine; give a path it has, or a URL")
	case err != nil:
		return nil, fault.Errorf(fault.Unavailable, "open artifact: %w", err)
	case !info.Mode().IsRegular():
		return nil, fault.Errorf(fault.Invalid, "artifact %s is not a file", ref).WithHint("pack a folder as .tar.gz")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "open artifact: %w", err)
	}
	return f, nil
}

func (p *Platform) download(ctx context.Context, ref string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, ref, nil)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "artifact %s: %w", ref, err)
	}
	response, err := p.config.Client.Do(request)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "fetch artifact: %w", err)
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	_ = response.Body.Close()
	code := fault.Unavailable
	if response.StatusCode >= 400 && response.StatusCode < 500 && response.StatusCode != http.StatusTooManyRequests {
		code = fault.Invalid
	}
	return nil, fault.Errorf(code, "fetch artifact %s: the server answered %s", ref, response.Status)
}

func digestOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

// artifactName is what the executable is called in the working folder.
func artifactName(ref string) string {
	if u, err := url.Parse(ref); err == nil && u.Scheme != "" {
		ref = u.Path
	}
	name := path.Base(filepath.ToSlash(ref))
	if name == "." || name == "/" || name == ".." {
		return "artifact"
	}
	return name
}
