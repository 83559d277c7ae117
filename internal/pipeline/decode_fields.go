package pipeline

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// field is one key of a mapping, as its struct tags say.
type field struct {
	name                  string
	index                 []int
	required, short, kind bool
	// anyText takes numbers and true or false as text, as they are written.
	anyText bool
	example string
	tag     reflect.StructTag
}

// shape is what a mapping may hold.
type shape struct{ fields []field }

var shapes sync.Map // reflect.Type → shape

func shapeOf(t reflect.Type) shape {
	if known, ok := shapes.Load(t); ok {
		return known.(shape)
	}
	var s shape
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if options == "inline" {
			for _, f := range shapeOf(sf.Type).fields {
				f.index = append([]int{i}, f.index...)
				s.fields = append(s.fields, f)
			}
			continue
		}
		s.fields = append(s.fields, field{
			name: name, index: []int{i}, tag: sf.Tag, example: exampleOf(sf),
			required: strings.Contains(options, "required"),
			short:    strings.Contains(options, "short"),
			kind:     strings.Contains(options, "kind"),
		})
	}
	shapes.Store(t, s)
	return s
}

// exampleOf is the example tag, else the default, else the form of the type.
func exampleOf(f reflect.StructField) string {
	for _, tag := range []string{"example", "default"} {
		if v := f.Tag.Get(tag); v != "" {
			return v
		}
	}
	if formed, ok := reflect.Zero(f.Type).Interface().(interface{ Form() Form }); ok && f.Type.Kind() != reflect.Pointer {
		return formed.Form().Example
	}
	return ""
}

func (s shape) field(key string) (field, bool) {
	for _, f := range s.fields {
		if f.name == key && key != "" {
			return f, true
		}
	}
	return field{}, false
}

func (s shape) names() []string {
	var names []string
	for _, f := range s.fields {
		if f.name != "" {
			names = append(names, f.name)
		}
	}
	return names
}

func (s shape) kinds() []string {
	var names []string
	for _, f := range s.fields {
		if f.kind {
			names = append(names, f.name)
		}
	}
	return names
}

// suggest is the hint for a key that is not known here.
func (s shape) suggest(key string) string {
	if len(s.names()) == 0 {
		return "leave it out; there is nothing to set here"
	}
	return meant(key, s.names(), "the keys here are ", "and")
}

// sample is a mapping as a user might write it.
func (s shape) sample() string {
	for _, f := range s.fields {
		if f.example != "" && f.name != "" {
			return "{" + f.name + ": " + f.example + "}"
		}
	}
	return "{}"
}

// title names the field in a sentence.
func (f field) title() string {
	if f.name == "" {
		return "the file"
	}
	return fmt.Sprintf("%q", f.name)
}

// like is a hint that shows how the field is written.
func (f field) like(otherwise string) string {
	example := f.example
	if example == "" {
		example = otherwise
	}
	if f.name == "" {
		return "begin with `service: NAME`"
	}
	return "for instance: " + f.name + ": " + example
}

func (f field) sample(otherwise string) string {
	if f.example != "" {
		return f.example
	}
	return otherwise
}

func (f field) words() []string { return strings.Fields(f.tag.Get("enum")) }

// element is the field of a list's entries.
func (f field) element() field {
	tag := fmt.Sprintf("enum:%q check:%q", f.tag.Get("enum"), f.tag.Get("check"))
	return field{name: f.name, example: f.example, tag: reflect.StructTag(tag)}
}

// value is the field of a mapping's values.
func (f field) value(key string) field {
	return field{name: key, anyText: true, tag: reflect.StructTag(fmt.Sprintf("check:%q", f.tag.Get("check")))}
}

// bound reads a min or max tag that is a plain number.
func (f field) bound(tag string) (float64, bool) { return f.boundOf(reflect.TypeFor[float64](), tag) }

// boundOf reads a min or max tag as a value of the type.
func (f field) boundOf(t reflect.Type, tag string) (float64, bool) {
	text := f.tag.Get(tag)
	if text == "" {
		return 0, false
	}
	v := reflect.New(t)
	if u, ok := v.Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			panic("pipeline: tag " + string(f.tag) + ": " + err.Error())
		}
		return number(v.Elem()), true
	}
	var x float64
	if _, err := fmt.Sscan(text, &x); err != nil {
		panic("pipeline: tag " + string(f.tag) + ": " + err.Error())
	}
	return x, true
}

func number(v reflect.Value) float64 {
	if v.CanInt() {
		return float64(v.Int())
	}
	return v.Float()
}

// inside says in which mapping something is, for the end of a sentence.
func inside(f field) string {
	if f.name == "" {
		return ""
	}
	return fmt.Sprintf(" in %q", f.name)
}

// meant is a hint: the known word nearest to what was written, else all of them.
func meant(written string, words []string, all, last string) string {
	if near := nearest(written, words); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return all + list(words, last)
}

// nearest is the word that was likely meant, or nothing.
func nearest(written string, words []string) string {
	best, distance := "", len([]rune(written))/3+1
	for _, w := range words {
		if n := editDistance(strings.ToLower(written), strings.ToLower(w)); n <= distance && n < len(w) {
			if best == "" || n < distance {
				best, distance = w, n
			}
		}
	}
	return best
}

// list joins words as a sentence does, with "and" or "or" before the last.
func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment); of long words only
// the beginning counts.
func editDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	x, y = x[:min(len(x), 40)], y[:min(len(y), 40)]
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
