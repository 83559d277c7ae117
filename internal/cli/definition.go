package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// defaultFile is what a definition is called.
const defaultFile = "fairway.yaml"

// maxDefinition is far more than Parse takes, so that Parse says what is wrong.
const maxDefinition = 32 << 20

// readDefinition reads and parses a definition.
func readDefinition(path string) (*pipeline.Definition, []byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fault.Errorf(fault.NotFound, "there is no %s here", path).
			WithHint("write one with `fairway init`, or name another with -f")
	}
	if err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "read the definition: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxDefinition))
	if err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "read the definition: %w", err)
	}
	def, faults := pipeline.Parse(path, text)
	if len(faults) > 0 {
		return nil, text, faults
	}
	return def, text, nil
}

// readFiles reads the config files that the definition names, relative to it.
func readFiles(def *pipeline.Definition, path string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range def.Files() {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "the config file %s cannot be read: %w", name, err).
				WithHint("%s names it under config.files; paths are relative to that file", path)
		}
		files[name] = content
	}
	return files, nil
}

// artifact is what --artifact says: where, and the digest.
type artifact struct{ ref, digest string }

// unnamed stands for an artifact in a plan that is only looked at.
const unnamed = "(not named)"

// nothing is such an artifact.
var nothing = artifact{unnamed, "sha256:" + strings.Repeat("0", 64)}

// artifactOf reads the artifact that a definition's platform runs.
func artifactOf(def *pipeline.Definition, text string) (artifact, error) {
	if def.Environments[0].Platform == "kubernetes" {
		return readImage(text)
	}
	return readArtifact(text)
}

var imageRegexp = regexp.MustCompile(`^([^\s@]+)@(sha256:[0-9a-f]{64})$`)

// readImage takes the name of a container image with its digest.
func readImage(text string) (artifact, error) {
	m := imageRegexp.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return artifact{}, fault.Errorf(fault.Invalid, "the artifact %q is not an image with its digest", text).
			WithHint("on Kubernetes it is an image as it was pushed: registry.example.com/shop:v2@sha256:…")
	}
	return artifact{m[1], m[2]}, nil
}

// readArtifact takes "PATH", "URL" or either with "@sha256:…", or an image with its
// digest. The digest of a file
// on this machine is computed, and compared where one is given.
func readArtifact(text string) (artifact, error) {
	if strings.TrimSpace(text) == "" {
		return artifact{}, fault.Errorf(fault.Invalid, "no artifact was named").WithHint("for instance --artifact ./build/shop")
	}
	ref, given, _ := strings.Cut(text, "@sha256:")
	if given != "" {
		given = "sha256:" + given
	}
	if strings.HasPrefix(ref, "http://") || strings.HasPrefix(ref, "https://") {
		if given == "" {
			return artifact{}, fault.Errorf(fault.Invalid, "an artifact from a URL needs its digest").WithHint("write it as %s@sha256:…", ref)
		}
		return artifact{ref, given}, nil
	}
	if _, err := os.Stat(ref); errors.Is(err, fs.ErrNotExist) && imageRegexp.MatchString(text) {
		return artifact{ref, given}, nil
	}
	path, err := filepath.Abs(strings.TrimPrefix(ref, "file://"))
	if err != nil {
		return artifact{}, fault.Errorf(fault.Invalid, "the artifact %s has no absolute path: %w", ref, err)
	}
	digest, err := digestOf(path)
	if err != nil {
		return artifact{}, err
	}
	if given != "" && given != digest {
		return artifact{}, fault.Errorf(fault.Invalid, "the artifact %s has the digest %s, not %s", ref, digest, given).
			WithHint("build it again, or ship what was really built")
	}
	return artifact{path, digest}, nil
}

func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "the artifact cannot be read: %w", err).
			WithHint("build it first, or look where it was built to")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "the artifact cannot be read: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return "", fault.Errorf(fault.Invalid, "the artifact %s is empty, or not a file", path).
			WithHint("an artifact is one executable file, or a .tar.gz")
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fault.Errorf(fault.Invalid, "the artifact cannot be read: %w", err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
