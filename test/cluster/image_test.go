package cluster

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A runtime refuses an image one of whose digests or sizes is wrong.
func TestAnImageIsWhatItsDigestsSay(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "some-program")
	if err := os.WriteFile(binary, []byte("a static program"), 0o700); err != nil {
		t.Fatal(err)
	}
	image := Image{Name: "fairway.test/x:v1", Binary: binary}
	described, err := image.describe()
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := image.write(&archive, described); err != nil {
		t.Fatal(err)
	}
	files := untar(t, &archive)
	follow := func(d descriptor) []byte {
		t.Helper()
		text, ok := files[blobPath(d)]
		sum := sha256.Sum256(text)
		if !ok || d.Digest != "sha256:"+hex.EncodeToString(sum[:]) || d.Size != int64(len(text)) {
			t.Fatalf("%+v is not what is there", d)
		}
		return text
	}

	var index struct{ Manifests []descriptor }
	decode(t, files["index.json"], &index)
	names := map[string]string{}
	for _, m := range index.Manifests {
		names[m.Annotations["io.containerd.image.name"]] = m.Digest
	}
	digest := described.manifest.Digest
	if len(names) != 2 || names["fairway.test/x:v1"] != digest || names["fairway.test/x@"+digest] != digest {
		t.Fatalf("the index is %s", files["index.json"])
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	decode(t, follow(index.Manifests[0]), &manifest)
	var config struct {
		Config struct{ Entrypoint []string }
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	decode(t, follow(manifest.Config), &config)
	if len(manifest.Layers) != 1 || len(config.RootFS.DiffIDs) != 1 || config.RootFS.DiffIDs[0] != manifest.Layers[0].Digest {
		t.Fatalf("the config %+v is of other layers than the manifest %+v", config, manifest)
	}
	layer := untar(t, bytes.NewReader(follow(manifest.Layers[0])))
	entry := strings.TrimPrefix(config.Config.Entrypoint[0], "/")
	if string(layer[entry]) != "a static program" {
		t.Errorf("the entry point %s is not the program", entry)
	}
}

func untar(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
