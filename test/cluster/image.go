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
// their policy is Always, by their names and, as Reference tells, by their digests.
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

// Reference is the name of an image that was loaded with its digest behind it, such as
// "fairway.test/shop:v1@sha256:…"; empty if none of that name was. The same sources give
// the same digest.
func (c *Cluster) Reference(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.references[name]
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
	parts, err := i.describe()
	if err != nil {
		return err
	}
	archive, archiver := io.Pipe()
	go func() { archiver.CloseWithError(i.write(archiver, parts)) }()
	load := c.ctr(ctx, "images", "import", "-")
	load.Stdin = archive
	out, err := load.CombinedOutput()
	// Who writes must not wait for a reader that has given up.
	_ = archive.Close()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.references[i.Name] = i.Name + "@" + parts.manifest.Digest
	return nil
}

// descriptor points at a blob, in the words of the OCI image specification.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// description is all of an image but for its layer.
type description struct {
	layer, config, manifest descriptor
	configText              []byte
	manifestText            []byte
	index                   []byte
}

func (i Image) describe() (d description, err error) {
	// The layer's digest is needed before its content, and it is too big for memory.
	hash, size := sha256.New(), new(counter)
	if err := i.writeLayer(io.MultiWriter(hash, size)); err != nil {
		return d, err
	}
	d.layer = descriptor{
		MediaType: "application/vnd.oci.image.layer.v1.tar",
		Digest:    "sha256:" + hex.EncodeToString(hash.Sum(nil)),
		Size:      int64(*size),
	}
	d.config, d.configText, err = blob("application/vnd.oci.image.config.v1+json", map[string]any{
		"os": "linux", "architecture": runtime.GOARCH,
		"config": map[string]any{"Entrypoint": []string{"/program"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{d.layer.Digest}},
	})
	if err != nil {
		return d, err
	}
	d.manifest, d.manifestText, err = blob("application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": d.config, "layers": []descriptor{d.layer},
	})
	if err != nil {
		return d, err
	}
	// A runtime looks an image with a digest up without its tag.
	repository := i.Name
	if colon := strings.LastIndex(i.Name, ":"); colon > strings.LastIndex(i.Name, "/") {
		repository = i.Name[:colon]
	}
	var names []descriptor
	for _, name := range []string{i.Name, repository + "@" + d.manifest.Digest} {
		named := d.manifest
		named.Annotations = map[string]string{"io.containerd.image.name": name}
		names = append(names, named)
	}
	_, d.index, err = blob("", map[string]any{"schemaVersion": 2, "manifests": names})
	return d, err
}

// write writes the image as an archive in the OCI image layout.
func (i Image) write(w io.Writer, d description) error {
	out := tar.NewWriter(w)
	for _, file := range []struct {
		name    string
		content []byte
	}{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{"index.json", d.index},
		{blobPath(d.manifest), d.manifestText},
		{blobPath(d.config), d.configText},
	} {
		if err := out.WriteHeader(&tar.Header{Name: file.name, Mode: 0o644, Size: int64(len(file.content))}); err != nil {
			return err
		}
		if _, err := out.Write(file.content); err != nil {
			return err
		}
	}
	if err := out.WriteHeader(&tar.Header{Name: blobPath(d.layer), Mode: 0o644, Size: d.layer.Size}); err != nil {
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
