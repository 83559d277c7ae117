package host_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
)

func TestAWrongDigestIsRefusedAndBothAreNamed(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok")
	built := v1.Artifact.Digest
	v1.Artifact.Digest = digest([]byte("something else"))
	err := r.Place(t.Context(), r.lease, shop, v1, platform.Capacity{Instances: 1})
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), built) || !strings.Contains(err.Error(), v1.Artifact.Digest) {
		t.Errorf("placed with a wrong digest: %v", err)
	}
	if s := r.observe(); len(s.Revisions) != 0 || len(r.records()) != 0 {
		t.Errorf("something was placed: %+v", s)
	}
	if kept, _ := os.ReadDir(filepath.Join(r.dir, "host", "artifacts")); len(kept) != 0 {
		t.Errorf("the wrong bytes were kept: %v", kept)
	}
}

func TestAnArtifactThatRottedIsFetchedAgain(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok")
	r.ready(v1, 1)
	if err := r.Retire(t.Context(), r.lease, shop, v1.ID); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(r.dir, "host", "artifacts", strings.Replace(v1.Artifact.Digest, ":", "-", 1))
	if err := os.WriteFile(kept, []byte("rot"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.ready(v1, 1)
}

func TestArtifactsComeFromFilesAndURLs(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok")
	server := httptest.NewServer(http.FileServer(http.Dir(r.dir)))
	defer server.Close()
	for name, ref := range map[string]string{"http": server.URL + "/built-v1", "file": "file://" + v1.Artifact.Ref} {
		other := platform.Target{Service: "shop", Environment: name}
		v1.Artifact.Ref = ref
		if err := r.Place(t.Context(), r.lease, other, v1, platform.Capacity{Instances: 1}); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
		_ = os.RemoveAll(filepath.Join(r.dir, "host", "artifacts"))
	}
	for ref, code := range map[string]fault.Code{
		server.URL + "/none":         fault.Invalid,
		"http://127.0.0.1:1/refused": fault.Unavailable,
		"ftp://127.0.0.1/shop":       fault.Invalid,
		"/no/such/file":              fault.Invalid,
		r.dir:                        fault.Invalid,
		"":                           fault.Invalid,
	} {
		v1.Artifact.Ref = ref
		err := r.Place(t.Context(), r.lease, shop, v1, platform.Capacity{Instances: 1})
		if fault.CodeOf(err) != code {
			t.Errorf("%q: got %q (%v), want %q", ref, fault.CodeOf(err), err, code)
		}
	}
}

type entry struct {
	tar.Header
	content string
}

func (r *rig) archive(name string, entries ...entry) platform.Artifact {
	r.t.Helper()
	var raw bytes.Buffer
	compressed := gzip.NewWriter(&raw)
	w := tar.NewWriter(compressed)
	for _, e := range entries {
		if e.Typeflag == 0 {
			e.Typeflag = tar.TypeReg
		}
		e.Size = int64(len(e.content))
		if err := w.WriteHeader(&e.Header); err != nil {
			r.t.Fatal(err)
		}
		_, _ = w.Write([]byte(e.content))
	}
	_, _ = w.Close(), compressed.Close()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, raw.Bytes(), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return platform.Artifact{Ref: path, Digest: digest(raw.Bytes())}
}

func TestAnArchiveIsUnpackedIntoTheWorkingFolder(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok", with("run", "./bin/start ok $PORT"))
	v1.Artifact = r.archive("shop.tar.gz",
		entry{Header: tar.Header{Name: "bin/start-1", Mode: 0o755}, content: "#!/bin/sh\nexec " + os.Args[0] + " service \"$@\"\n"},
		entry{Header: tar.Header{Name: "bin/start", Typeflag: tar.TypeSymlink, Linkname: "start-1"}},
		entry{Header: tar.Header{Name: "greeting", Mode: 0o644}, content: "good day"})
	r.ready(v1, 1)
	r.route(platform.Weights{v1.ID: platform.Whole})
	if _, body, err := r.get("/file/greeting"); err != nil || body != "good day" {
		t.Errorf("the file in the archive reads %q, %v", body, err)
	}
}

func TestAnArchiveCannotWriteOutside(t *testing.T) {
	for name, entries := range map[string][]entry{
		"a path with dots":        {{Header: tar.Header{Name: "../escaped"}, content: "x"}},
		"an absolute path":        {{Header: tar.Header{Name: "/tmp/escaped"}, content: "x"}},
		"an absolute link":        {{Header: tar.Header{Name: "etc", Typeflag: tar.TypeSymlink, Linkname: "/etc"}}},
		"a link with dots":        {{Header: tar.Header{Name: "a/up", Typeflag: tar.TypeSymlink, Linkname: "../../x"}}},
		"a hard link with dots":   {{Header: tar.Header{Name: "up", Typeflag: tar.TypeLink, Linkname: "../revision.json"}}},
		"a device":                {{Header: tar.Header{Name: "null", Typeflag: tar.TypeChar}}},
		"more than it may unpack": {{Header: tar.Header{Name: "big"}, content: strings.Repeat("x", 5000)}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.Platform = r.open(host.Config{MaxUnpacked: 4096})
			v1 := r.revision("v1", "ok")
			v1.Artifact = r.archive("bad.tgz", entries...)
			err := r.Place(t.Context(), r.lease, shop, v1, platform.Capacity{Instances: 1})
			if fault.CodeOf(err) != fault.Invalid {
				t.Errorf("got %v", err)
			}
			if found, _ := filepath.Glob(filepath.Join(r.dir, "host/targets/*/revisions/*/escaped")); len(found) > 0 {
				t.Errorf("it wrote %v", found)
			}
		})
	}
}

func TestOnlyTheLastRetiredRevisionsAreKept(t *testing.T) {
	r := newRig(t)
	for _, version := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		v := r.revision(version, "ok")
		r.place(v, 1)
		if err := r.Retire(t.Context(), r.lease, shop, v.ID); err != nil {
			t.Fatal(err)
		}
	}
	kept, _ := os.ReadDir(filepath.Join(r.dir, "host", "artifacts"))
	revisions, _ := os.ReadDir(r.path("revisions"))
	if len(kept) != 5 || len(revisions) != 5 {
		t.Errorf("%d artifacts and %d revisions are kept, not 5", len(kept), len(revisions))
	}
}
