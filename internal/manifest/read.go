package manifest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/fairwayhq/fairway/internal/fault"
)

// MaxText is how long one text of manifests may be, in bytes.
const MaxText = 8 << 20

// Read returns the objects of a text of YAML or JSON with any number of documents, in
// their order. Lists are unpacked; documents without content are left out. The file is
// only for messages. What is no object is fault.Invalid, with its line.
//
// A key that stands twice in one map is a mistake here.
func Read(file string, text []byte) ([]Object, error) {
	return read(file, text, yaml.YAMLToJSONStrict)
}

// ReadLoosely is Read for what a template made: of a key that stands twice in one map
// the last value counts, as it does for those who install charts.
func ReadLoosely(file string, text []byte) ([]Object, error) {
	return read(file, text, yaml.YAMLToJSON)
}

func read(file string, text []byte, toJSON func([]byte) ([]byte, error)) ([]Object, error) {
	if len(text) > MaxText {
		return nil, fault.Errorf(fault.Invalid, "%s is longer than %d MiB", file, MaxText>>20).
			WithHint("a release needs its own objects only")
	}
	var objects []Object
	for _, d := range documents(string(text)) {
		raw, err := convert([]byte(d.text), toJSON)
		if err != nil {
			line, message := placed(err.Error(), d.line)
			return nil, fault.Errorf(fault.Invalid, "%s:%d: this is not YAML: %s", file, line, message).
				WithHint("look at the indentation and the quotes of this line and the one above")
		}
		origin := fmt.Sprintf("%s:%d", file, d.firstLine())
		found, err := objectsOf(origin, raw)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// convert also survives a library that panics.
func convert(text []byte, toJSON func([]byte) ([]byte, error)) (raw []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return toJSON(text)
}

// document is one YAML document and the line on which it begins, from 1.
type document struct {
	text string
	line int
}

// documents splits a text where a line is a marker of YAML: "---" begins a document and
// "..." ends one. No document can have such a line in it.
func documents(text string) []document {
	text = strings.TrimPrefix(text, "\ufeff")
	var all []document
	var current strings.Builder
	begin, number := 1, 0
	flush := func(next int) {
		if !blank(current.String()) {
			all = append(all, document{current.String(), begin})
		}
		current.Reset()
		begin = next
	}
	for line := range strings.Lines(text) {
		number++
		switch {
		case marks(line, "---"):
			flush(number)
		case marks(line, "..."):
			flush(number + 1)
			continue
		}
		current.WriteString(line)
	}
	flush(number + 1)
	return all
}

func marks(line, marker string) bool {
	rest, ok := strings.CutPrefix(line, marker)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], " \t\r\n"))
}

// blank tells whether a document has nothing but comments, directives and its marker.
func blank(text string) bool {
	return document{text: text}.content() < 0
}

// content is the index of the first line with content, or -1.
func (d document) content() int {
	index := 0
	for line := range strings.Lines(d.text) {
		rest := strings.TrimSpace(line)
		if marks(line, "---") {
			rest = strings.TrimSpace(rest[3:])
		}
		if rest != "" && rest[0] != '#' && line[0] != '%' {
			return index
		}
		index++
	}
	return -1
}

// firstLine is where the content begins: where an editor should go.
func (d document) firstLine() int { return d.line + max(d.content(), 0) }

var placeOfYAML = regexp.MustCompile(`\bline (\d+): `)

// placed takes the line out of a message of the YAML library, which counts from the
// document's first, and returns it as the file's.
func placed(message string, begin int) (line int, rest string) {
	rest = strings.TrimPrefix(message, "error converting YAML to JSON: ")
	rest = strings.TrimPrefix(rest, "yaml: ")
	rest = strings.TrimPrefix(rest, "unmarshal errors:\n  ")
	line = begin
	if at := placeOfYAML.FindStringSubmatchIndex(rest); at != nil {
		if n, err := strconv.Atoi(rest[at[2]:at[3]]); err == nil {
			line = begin + n - 1
		}
		rest = rest[:at[0]] + rest[at[1]:]
	}
	return line, rest
}

// objectsOf returns the object that the JSON is, or those of the list that it is.
func objectsOf(origin string, raw []byte) ([]Object, error) {
	var content any
	if err := json.Unmarshal(raw, &content); err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s: %w", origin, err)
	}
	if content == nil {
		return nil, nil
	}
	fields, ok := content.(map[string]any)
	if !ok {
		return nil, fault.Errorf(fault.Invalid, "%s: this is not a Kubernetes object", origin).
			WithHint("an object begins with apiVersion, kind and metadata; other files do not belong here")
	}
	var head struct {
		Items []json.RawMessage `json:"items"`
	}
	kind := textIn(fields, "kind")
	if _, listed := fields["items"].([]any); listed && strings.HasSuffix(kind, "List") {
		if err := json.Unmarshal(raw, &head); err != nil {
			return nil, fault.Errorf(fault.Invalid, "%s: %w", origin, err)
		}
		return itemsOf(origin, fields, head.Items)
	}
	object, err := objectOf(origin, fields, raw)
	if err != nil {
		return nil, err
	}
	return []Object{object}, nil
}

// itemsOf unpacks a list. The items of a list of one kind need not repeat it.
func itemsOf(origin string, list map[string]any, items []json.RawMessage) ([]Object, error) {
	var objects []Object
	of := strings.TrimSuffix(textIn(list, "kind"), "List")
	for i, item := range items {
		place := fmt.Sprintf("%s (item %d of the list)", origin, i+1)
		if of != "" {
			var fields map[string]json.RawMessage
			if json.Unmarshal(item, &fields) == nil && fields != nil && fields["kind"] == nil && fields["apiVersion"] == nil {
				fields["kind"], _ = json.Marshal(of)
				fields["apiVersion"], _ = json.Marshal(list["apiVersion"])
				item, _ = json.Marshal(fields)
			}
		}
		found, err := objectsOf(place, item)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// objectOf checks what every object has.
func objectOf(origin string, fields map[string]any, raw []byte) (Object, error) {
	meta := mapIn(fields, "metadata")
	object := Object{
		APIVersion: textIn(fields, "apiVersion"), Kind: textIn(fields, "kind"),
		Namespace: textIn(meta, "namespace"), Name: textIn(meta, "name"),
		Raw: raw, Origin: origin,
	}
	switch {
	case object.Kind == "":
		return Object{}, fault.Errorf(fault.Invalid, "%s: this object has no kind", origin).
			WithHint("write for instance `kind: Deployment`; files that are no manifests do not belong here")
	case object.APIVersion == "":
		return Object{}, fault.Errorf(fault.Invalid, "%s: this %s has no apiVersion", origin, object.Kind).
			WithHint("`kubectl explain %s` says which one it has", strings.ToLower(object.Kind))
	case object.Name == "" && textIn(meta, "generateName") != "":
		return Object{}, fault.Errorf(fault.Invalid, "%s: this %s has metadata.generateName and no name", origin, object.Kind).
			WithHint("give it a metadata.name: what a release places must be found again")
	case object.Name == "":
		return Object{}, fault.Errorf(fault.Invalid, "%s: this %s has no metadata.name", origin, object.Kind).
			WithHint("a name is a text; quote it if it looks like a number")
	}
	return object, nil
}
