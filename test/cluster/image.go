package cluster

import (
	"archive/tar"

	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Image is a container image that has one static program in it and nothing else: it
// needs no registry and no base image.
type Image struct {
	// Name is what pods call it, with a host that has a dot, and a tag:
	// "fairway.test/shop:v1".
	Name string
	// Package is the main package to build, by its import path; LDFlags are passed to
	// the linker, say "-X main.version=v1".
	Package string
	LDFlags string
	// Binary is a program that is built already. It counts instead of Package.
	Binary string
}

var pause = Image{Name: "fairway.test/pause:v1", Package: "github.com/fairwayhq/fairway/test/cluster/pause"}

// Load makes images and gives them to the node. Pods find them without a pull, unless
// their policy is Always.
func (c *Cluster) Load(ctx context.Context, images ...Image) error {
	if !c.options.Node {
		return fmt.Errorf("load images: the cluster has no node to run them")
	}
	for _, i := range images {
		if err := c.load(ctx, i); err != nil {
			return fmt.Errorf("load the image %s: %w", i.Name, err)
		}
	}
	return nil
}

func (c *Cluster) load(ctx context.Context, i Image) error {
	if i.Binary == "" {
		dir, err := os.MkdirTemp(c.sandbox.Dir, "image-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		i.Binary = filepath.Join(dir, "program")
		args := append([]string{"build", "-o", i.Binary, "-ldflags", "-s -w " + i.LDFlags}, goFlags...)
		build := exec.CommandContext(ctx, "go", append(args, i.Package)...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: %s", i.Package, err, out)
		}
	}
	archive, archiver := io.Pipe()
	go func() { archiver.CloseWithError(i.write(archiver)) }()
	load := c.ctr(ctx, "images", "import", "-")
	load.Stdin = archive
	out, err := load.CombinedOutput()
	// Who writes must not wait for a reader that has given up.
	_ = archive.Close()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// descriptor points at a blob, in the words of the OCI image specification.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// write writes the image as an archive in the OCI image layout.
func (i Image) write(w io.Writer) error {
	// The layer's digest is needed before its content, and it is too big for memory.
	hash, size := sha256.New(), new(counter)
	if err := i.writeLayer(io.MultiWriter(hash, size)); err != nil {
		return err
	}
	layer := descriptor{
		MediaType: "application/vnd.oci.image.layer.v1.tar",
		Digest:    "sha256:" + hex.EncodeToString(hash.Sum(nil)),
		Size:      int64(*size),
	}
	config, configText, err := blob("application/vnd.oci.image.config.v1+json", map[string]any{
		"os": "linux", "architecture": runtime.GOARCH,
		"config": map[string]any{"Entrypoint": []string{"/program"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layer.Digest}},
	})
	if err != nil {
		return err
	}
	manifest, manifestText, err := blob("application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": config, "layers": []descriptor{layer},
	})
	if err != nil {
		return err
	}
	manifest.Annotations = map[string]string{"io.containerd.image.name": i.Name}
	_, index, err := blob("", map[string]any{"schemaVersion": 2, "manifests": []descriptor{manifest}})
	if err != nil {
		return err
	}

	out := tar.NewWriter(w)
	for _, file := range []struct {
		name    string
		content []byte
	}{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{"index.json", index},
		{blobPath(manifest), manifestText},
		{blobPath(config), configText},
	} {
		if err := out.WriteHeader(&tar.Header{Name: file.name, Mode: 0o644, Size: int64(len(file.content))}); err != nil {
			return err
		}
		if _, err := out.Write(file.content); err != nil {
			return err
		}
	}
	if err := out.WriteHeader(&tar.Header{Name: blobPath(layer), Mode: 0o644, Size: layer.Size}); err != nil {
		return err
	}
	if err := i.writeLayer(out); err != nil {
		return err
	}
	return out.Close()
}

// writeLayer writes the image's files: the program, and a folder for temporary ones.
func (i Image) writeLayer(w io.Writer) error {
	f, err := os.Open(i.Binary)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	layer := tar.NewWriter(w)
	if err := layer.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return err
	}
	if err := layer.WriteHeader(&tar.Header{Name: "program", Mode: 0o755, Size: info.Size()}); err != nil {
		return err
	}
	if _, err := io.Copy(layer, f); err != nil {
		return err
	}
	return layer.Close()
}

func blob(mediaType string, content any) (descriptor, []byte, error) {
	text, err := json.Marshal(content)
	sum := sha256.Sum256(text)
	return descriptor{MediaType: mediaType, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(text))}, text, err
}

func blobPath(d descriptor) string {
	kind, sum, _ := strings.Cut(d.Digest, ":")
	return "blobs/" + kind + "/" + sum
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
