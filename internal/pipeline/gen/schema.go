package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// object is a part of a JSON Schema. Its keys come out sorted.
type object map[string]any

// schemaMaker turns types into schemas; each struct becomes one of the $defs.
type schemaMaker struct {
	comments comments
	defs     object
}

func makeSchema(c comments) ([]byte, error) {
	m := schemaMaker{comments: c, defs: object{}}
	root := m.mapping(reflect.TypeFor[pipeline.Definition]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "fairway.yaml"
	root["$defs"] = m.defs
	b, err := json.MarshalIndent(root, "", "  ")
	return append(b, '\n'), err
}

// mapping is the schema of a struct written as a mapping.
func (m *schemaMaker) mapping(t reflect.Type) object {
	properties, required := object{}, []string{}
	var kinds []any
	for _, f := range fieldsOf(t) {
		if f.key == "" {
			continue
		}
		properties[f.key] = m.property(f)
		if f.required {
			required = append(required, f.key)
		}
		if f.kind {
			kinds = append(kinds, object{"required": []string{f.key}})
		}
	}
	s := object{"type": "object", "properties": properties, "additionalProperties": false, "description": m.comments.about(t.Name(), "It")}
	if len(required) > 0 {
		s["required"] = required
	}
	if len(kinds) > 0 {
		s["oneOf"] = kinds
	}
	return s
}

// property is the schema of a field with its comment, default and example.
func (m *schemaMaker) property(f field) object {
	s := m.value(f)
	if s["$ref"] != nil {
		// A sibling of $ref is kept apart, for editors that drop siblings.
		s = object{"allOf": []any{s}}
	}
	s["description"] = m.comments.about(f.goName, "`"+f.key+"`")
	if text := f.tag.Get("default"); text != "" {
		s["default"] = plain(text)
	}
	if text := f.tag.Get("example"); text != "" {
		s["examples"] = []any{plain(text)}
	}
	return s
}

// plain reads a value as YAML would.
func plain(text string) any {
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		panic(fmt.Sprintf("gen: the tag %q is not YAML: %v", text, err))
	}
	return v
}

// value is the schema of what a field may hold.
func (m *schemaMaker) value(f field) object {
	if form, ok := formOf(f.typ); ok {
		text := object{"type": "string", "pattern": form.Pattern}
		if !strings.Contains(form.Pattern, "|^0$") {
			return text
		}
		return object{"anyOf": []any{text, object{"const": 0}}}
	}
	switch f.typ {
	case commandType:
		words := object{"type": "array", "items": object{"type": "string"}, "minItems": 1}
		return object{"anyOf": []any{object{"type": "string", "minLength": 1}, words}}
	case waveType:
		name := object{"type": "string", "pattern": pipeline.Pattern("name")}
		return object{"anyOf": []any{name, object{"type": "array", "items": name, "minItems": 1}}}
	case needsType:
		names := object{"type": "array", "items": object{"type": "string"}}
		return object{"anyOf": []any{names, object{"type": "object", "additionalProperties": m.value(field{typ: reflect.TypeFor[pipeline.Duration]()})}}}
	}
	switch f.typ.Kind() {
	case reflect.Struct:
		return m.ref(f.typ)
	case reflect.Slice:
		s := object{"type": "array", "items": m.value(field{typ: f.typ.Elem(), tag: elementTag(f)})}
		bounds(s, f, "minItems", "maxItems")
		return s
	case reflect.Map:
		values := object{"type": []string{"string", "number", "boolean"}}
		addPattern(values, f.tag.Get("check"))
		s := object{"type": "object", "additionalProperties": values}
		if pattern := pipeline.Pattern(f.tag.Get("keys")); pattern != "" {
			s["propertyNames"] = object{"pattern": pattern}
		}
		return s
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Float64:
		s := object{"type": "integer"}
		if f.typ.Kind() == reflect.Float64 {
			s["type"] = "number"
		}
		bounds(s, f, "minimum", "maximum")
		return s
	case reflect.String:
		s := object{"type": "string", "minLength": 1}
		addPattern(s, f.tag.Get("check"))
		if words := strings.Fields(f.tag.Get("enum")); len(words) > 0 {
			return object{"enum": words}
		}
		return s
	}
	panic("gen: no schema for a " + f.typ.String())
}

// ref adds the struct to the $defs, with its short forms, and points there.
func (m *schemaMaker) ref(t reflect.Type) object {
	name := strings.TrimSuffix(t.Name(), "Definition")
	if _, ok := m.defs[name]; !ok {
		m.defs[name] = object{}
		forms := []any{m.mapping(t)}
		var words []string
		required := false
		for _, f := range fieldsOf(t) {
			required = required || f.required || f.kind
			if f.short {
				forms = append(forms, m.value(f))
			}
			if f.kind && !needsSettings(f.typ) {
				words = append(words, f.key)
			}
		}
		if len(words) > 0 {
			forms = append(forms, object{"enum": words})
		}
		if !required {
			forms = append(forms, object{"type": "null"})
		}
		m.defs[name] = object{"anyOf": forms}
	}
	return object{"$ref": "#/$defs/" + name}
}

// needsSettings tells whether the bare word is not enough for a kind of stage.
func needsSettings(t reflect.Type) bool {
	if t == reflect.TypeFor[pipeline.CheckDefinition]() {
		return true
	}
	for _, f := range fieldsOf(t) {
		if f.required {
			return true
		}
	}
	return false
}

func elementTag(f field) reflect.StructTag {
	return reflect.StructTag(fmt.Sprintf("enum:%q check:%q", f.tag.Get("enum"), f.tag.Get("check")))
}

func addPattern(s object, check string) {
	if pattern := pipeline.Pattern(check); pattern != "" {
		s["pattern"] = pattern
	}
}

// bounds sets the min and max tags under the names that the schema has for them.
func bounds(s object, f field, lowest, highest string) {
	for tag, key := range map[string]string{"min": lowest, "max": highest} {
		if n, err := strconv.ParseFloat(f.tag.Get(tag), 64); err == nil {
			s[key] = n
		}
	}
}
