package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

var built = fstest.MapFS{
	".keep":                 {},
	"index.html":            {Data: []byte("<!doctype html><title>Fairway</title>")},
	"favicon.svg":           {Data: []byte("<svg/>")},
	"assets/index-a1b2.js":  {Data: []byte(strings.Repeat("let fairway;", 200))},
	"assets/index-a1b2.css": {Data: []byte("body{}")},
}

func get(t *testing.T, h http.Handler, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnUnknownPathGetsTheIndexPage(t *testing.T) {
	h := newHandler(built)
	for _, path := range []string{"/", "/releases", "/releases/01jd2k7x9q", "/releases/shop@v1.2.3", "/freezes/"} {
		r := get(t, h, path)
		if r.StatusCode != http.StatusOK || !strings.Contains(text(t, r.Body), "<title>Fairway") {
			t.Errorf("%s: status %d, want the index page", path, r.StatusCode)
		}
		if c := r.Header.Get("Cache-Control"); c != "no-cache" {
			t.Errorf("%s: Cache-Control %q, want no-cache", path, c)
		}
	}
}

func TestAMissingFileIsNotThePage(t *testing.T) {
	h := newHandler(built)
	for _, path := range []string{"/assets/index-old.js", "/robots.txt", "/.keep"} {
		if r := get(t, h, path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, r.StatusCode)
		}
	}
}

func TestHashedFilesAreKeptForEver(t *testing.T) {
	h := newHandler(built)
	r := get(t, h, "/assets/index-a1b2.css")
	if c := r.Header.Get("Cache-Control"); !strings.Contains(c, "immutable") {
		t.Errorf("Cache-Control %q, want immutable", c)
	}
	if k := r.Header.Get("Content-Type"); !strings.HasPrefix(k, "text/css") {
		t.Errorf("Content-Type %q, want text/css", k)
	}
}

func TestWhatTheBrowserHasIsNotSentAgain(t *testing.T) {
	h := newHandler(built)
	tag := get(t, h, "/").Header.Get("ETag")
	r := get(t, h, "/", "If-None-Match", tag)
	if r.StatusCode != http.StatusNotModified || text(t, r.Body) != "" {
		t.Errorf("status %d, want 304 without a body", r.StatusCode)
	}
}

func TestFilesTravelZipped(t *testing.T) {
	r := get(t, newHandler(built), "/assets/index-a1b2.js", "Accept-Encoding", "br, gzip")
	if r.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal("the file was not zipped")
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, z); got != string(built["assets/index-a1b2.js"].Data) {
		t.Errorf("unzipped to %d bytes, want %d", len(got), len(built["assets/index-a1b2.js"].Data))
	}
}

func TestABinaryWithoutPagesSaysSo(t *testing.T) {
	r := get(t, newHandler(fstest.MapFS{".keep": {}}), "/releases")
	if r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(text(t, r.Body), "make ui") {
		t.Errorf("status %d, want a page that says to run make ui", r.StatusCode)
	}
}

func TestOnlyReading(t *testing.T) {
	w := httptest.NewRecorder()
	newHandler(built).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("status %d, want 405", w.Code)
	}
}

func TestTheEmbeddedPagesAreServed(t *testing.T) {
	r := get(t, Handler(), "/")
	if want := map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[Built()]; r.StatusCode != want {
		t.Errorf("status %d, want %d", r.StatusCode, want)
	}
}
