package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// apiVersion is the version of the interface, not of the build: it changes when
// the routes or types do, so that the generated document is the same for every build.
const apiVersion = "1.0.0"

// OpenAPI returns the OpenAPI 3.1 document of the API, indented, always the same
// bytes for the same code. It needs no server.
func OpenAPI() []byte {
	s := &server{}
	a := humago.New(http.NewServeMux(), humaConfig(""))
	s.register(a)
	raw, err := json.Marshal(a.OpenAPI())
	if err != nil {
		panic(err) // plain data; tests make the document
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		panic(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// humaConfig is strict (unknown query parameters and fields are refused) and
// serves no pages of its own. With a version it names the build that serves it.
func humaConfig(build string) huma.Config {
	useProblems()
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	registry.RegisterTypeAlias(reflect.TypeFor[pipeline.Duration](), reflect.TypeFor[durationText]())
	registry.RegisterTypeAlias(reflect.TypeFor[json.RawMessage](), reflect.TypeFor[anyJSON]())
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Fairway", Version: apiVersion,
				Description: "The release control plane. Errors are problem documents (RFC 9457) with a code and a hint. " +
					"A {release} is an ID, SERVICE@VERSION, or SERVICE for its newest release.",
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Components: &huma.Components{Schemas: registry, SecuritySchemes: map[string]*huma.SecurityScheme{
				"token": {Type: "http", Scheme: "bearer", Description: "A token, made with `fairway token` or POST /v1/tokens."},
				"session": {Type: "apiKey", In: "cookie", Name: sessionCookie,
					Description: "A browser's session. Changes also need the header X-CSRF-Token, with the value that GET /v1/me tells."},
			}},
			Security: []map[string][]string{{"token": {}}, {"session": {}}},
			Tags: []*huma.Tag{
				{Name: "releases", Description: "What goes to production, where it is, and what people may do about it."},
				{Name: "services", Description: "What runs where."},
				{Name: "evidence", Description: "Facts about artifacts that gates look at."},
				{Name: "freezes", Description: "Windows in which lanes do not move."},
				{Name: "access", Description: "Who is who: sessions, users and tokens."},
				{Name: "workers", Description: "The protocol of workers."},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}

// wireNames are the names of package client that inner rooms use too. A type of
// theirs gets its package's name in front, as all types of package platform do.
var wireNames = map[string]bool{
	"Action": true, "Approval": true, "ArmPoint": true, "Event": true, "Evidence": true, "Freeze": true,
	"Interval": true, "Point": true, "Release": true, "Rollback": true, "Service": true, "Token": true, "User": true,
}

// documented are the inner types that client's names stand for as they are.
var documented = map[reflect.Type]bool{
	reflect.TypeFor[client.Event]():  true,
	reflect.TypeFor[client.Freeze](): true,
}

func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	room := path.Base(t.PkgPath())
	inner := t.PkgPath() != "" && room != "client" && room != "api"
	if inner && (wireNames[name] || room == "platform") && !documented[t] {
		return strings.ToUpper(room[:1]) + room[1:] + name
	}
	return name
}

// durationText stands for pipeline.Duration in the document.
type durationText string

// Schema describes the text form.
func (durationText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "a duration, for instance 90s, 10m or 1h30m", Examples: []any{"10m"}}
}

// anyJSON stands for opaque JSON.
type anyJSON struct{}

// Schema allows everything.
func (anyJSON) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "any JSON"}
}
