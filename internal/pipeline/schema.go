package pipeline

import (
	_ "embed"
	"slices"
)

//go:generate go run ./gen

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of a fairway.yaml, for editors. It is
// made from the types and comments of Definition, as docs/reference is.
func Schema() []byte { return slices.Clone(schema) }

// Pattern is the regular expression of a named check (the struct tags `check` and
// `keys`), or empty where the check is more than a pattern.
func Pattern(check string) string {
	switch check {
	case "name":
		return namePattern
	case "object":
		return objectPattern
	case "variable":
		return variablePattern
	case "token":
		return tokenPattern
	case "host":
		return hostPattern
	case "path":
		return "^/"
	case "url":
		return "^https?://"
	case "secret":
		return "^(file:/|env:[A-Za-z_])"
	case "query":
		return `\$(arm|revision)`
	case "difference":
		return differencePattern
	}
	return ""
}
