// Package web is the UI: the built pages, embedded, and how they are served.
//
// The pages are built by `make ui` into dist, which is not in the repository; a
// binary that was built without them says so in a page of its own. The handler
// knows nothing of the API, which lives beside it:
//
//	mux.Handle("/", web.Handler())
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// index is the page of all pages: the UI's own router looks at the address.
const index = "index.html"

// Built tells whether the UI was built before the binary.
func Built() bool {
	_, err := fs.Stat(dist, "dist/"+index)
	return err == nil
}

// Handler serves the UI under "/". Files with a hash in their name may be kept for
// ever; an unknown path gets the index page, unless it looks like a file.
func Handler() http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // dist is part of the binary
	}
	return newHandler(files)
}

// asset is a file, ready to be sent.
type asset struct {
	body, zipped []byte
	kind, tag    string
	immutable    bool
}

type handler map[string]asset

func newHandler(files fs.FS) handler {
	h := handler{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Base(name) == ".keep" {
			return err
		}
		body, err := fs.ReadFile(files, name)
		h[name] = newAsset(name, body)
		return err
	})
	if err != nil {
		panic(err)
	}
	return h
}

func newAsset(name string, body []byte) asset {
	sum := sha256.Sum256(body)
	a := asset{
		body: body, kind: mime.TypeByExtension(path.Ext(name)), tag: `"` + hex.EncodeToString(sum[:8]) + `"`,
		immutable: strings.HasPrefix(name, "assets/"),
	}
	if a.kind == "" {
		a.kind = "application/octet-stream"
	}
	var zipped bytes.Buffer
	z, _ := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	if _, err := z.Write(body); err == nil && z.Close() == nil && zipped.Len() < len(body) {
		a.zipped = zipped.Bytes()
	}
	return a
}

// ServeHTTP serves a file or the index page.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are possible here", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	a, ok := h[name]
	if !ok && path.Ext(name) != "" && (strings.HasPrefix(name, "assets/") || !strings.Contains(name, "/")) {
		http.NotFound(w, r)
		return
	}
	if !ok {
		if a, ok = h[index]; !ok {
			notBuilt(w)
			return
		}
	}
	a.send(w, r)
}

func (a asset) send(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Type", a.kind)
	head.Set("ETag", a.tag)
	head.Set("Vary", "Accept-Encoding")
	if a.immutable {
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		head.Set("Cache-Control", "no-cache") // ask each time; the tag makes that cheap
	}
	if r.Header.Get("If-None-Match") == a.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.body
	if a.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		head.Set("Content-Encoding", "gzip")
		body = a.zipped
	}
	head.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
}

const notBuiltPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Fairway</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em}</style>
<h1>The UI was not built</h1>
<p>This binary was built without its pages. Run <code>make ui</code>, then build it again.</p>
<p>The API works all the same, and so does the command line: try <code>fairway status</code>.</p>
</html>
`

func notBuilt(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte(notBuiltPage))
}
