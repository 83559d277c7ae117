package main

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

const introduction = `# fairway.yaml

This page is made from the comments in ` + "`internal/pipeline/definition*.go`" + ` by ` + "`go generate ./internal/pipeline`" + `.
` + "`fairway check`" + ` finds every fault of a file; ` + "`fairway plan`" + ` prints what it comes to, with every default.
[host.yaml](../../examples/host.yaml) and [kubernetes.yaml](../../examples/kubernetes.yaml) are files to begin with, [full.yaml](../../examples/full.yaml) shows everything.

How values are written:

| value | for instance | means |
|---|---|---|
| duration | ` + "`200ms`, `90s`, `1h30m`, `7d`" + ` | a day has 24 hours |
| percentage | ` + "`5%`, `0.2%`, `0`" + ` | a share of a whole |
| percentage points | ` + "`2pp`" + ` | a difference between two percentages |
| rate | ` + "`200/s`, `30/min`, `5/h`" + ` | how often something happens |
| command | ` + "`./shop -port $PORT`, `[./shop, -port, $PORT]`" + ` | text is split as a shell would: quotes and backslashes, nothing else |

What a condition (` + "`gate`" + `) can use, in [CEL](https://cel.dev). What is not there yet is waited for:

| name | is |
|---|---|
| ` + "`evidence`" + ` | the list of facts about the artifact: each has ` + "`kind`, `name`, `status`, `at`, `by`, `url`, `digest`, `id` and `data`" + ` |
| ` + "`latest`" + ` | the newest fact of each kind, for instance ` + "`latest.tests.status`" + ` |
| ` + "`release`" + ` | ` + "`service`, `version`, `digest` and `author`" + ` |
| ` + "`environments`" + ` | of each environment of the release, its ` + "`state` and `since`" + ` |
| ` + "`drift`" + ` | on Kubernetes (on a host nobody looks, and a gate that asks waits), where what runs of the service in the environment was last seen not to be as the release at home or its repository says: ` + "`found`, `count` (of fields), `plan` and `git` (how many are not as the release, and as the repository says) and `at`" + ` |
| ` + "`now`" + ` | the time |
`

// section is one mapping of the language and the places where it stands.
type section struct {
	typ    reflect.Type
	places []string
}

func makeReference(c comments) []byte {
	var b bytes.Buffer
	b.WriteString(introduction)
	for _, s := range sections() {
		writeSection(&b, c, s)
	}
	return b.Bytes()
}

// sections walks the language from the top, breadth first.
func sections() []*section {
	all := []*section{{typ: reflect.TypeFor[pipeline.Definition](), places: []string{""}}}
	for i := 0; i < len(all); i++ {
		for _, f := range fieldsOf(all[i].typ) {
			typ, suffix := f.typ, ""
			if typ.Kind() == reflect.Slice && typ != needsType && typ != waveType {
				typ, suffix = typ.Elem(), "[]"
			}
			if _, formed := formOf(typ); formed || typ.Kind() != reflect.Struct {
				continue
			}
			at := slices.IndexFunc(all, func(s *section) bool { return s.typ == typ })
			if at < 0 {
				at = len(all)
				all = append(all, &section{typ: typ})
			}
			place := strings.TrimPrefix(all[i].places[0]+"."+f.key+suffix, ".")
			all[at].places = append(all[at].places, place)
		}
	}
	return all
}

func writeSection(b *bytes.Buffer, c comments, s *section) {
	name := s.places[0]
	if name == "" {
		fmt.Fprintf(b, "\n## The file\n\n")
	} else {
		fmt.Fprintf(b, "\n## `%s`\n\n%s\n", name, c.about(s.typ.Name(), "This"))
		if len(s.places) > 1 {
			fmt.Fprintf(b, "\nAlso at `%s`.\n", strings.Join(s.places[1:], "`, `"))
		}
		b.WriteString("\n")
	}
	fields := fieldsOf(s.typ)
	if len(fields) == 0 {
		return
	}
	b.WriteString("| key | meaning | value | default |\n|---|---|---|---|\n")
	for _, f := range fields {
		key := "`" + f.key + "`"
		if f.key == "" {
			key = "(a word)"
		}
		if f.required {
			key = "**" + key + "**"
		}
		value := describe(f)
		if example := f.tag.Get("example"); example != "" {
			value += ", for instance " + code(example)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", key, cell(sentence(c.about(f.goName, ""))), cell(value), code(f.tag.Get("default")))
	}
	for _, f := range fields {
		if f.short && f.key != "" {
			fmt.Fprintf(b, "\nIn place of the mapping, `%s` alone can be written.\n", f.key)
		}
	}
}

// sentence leaves out the verb with which a comment says what a field is.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	for _, verb := range []string{"is ", "are "} {
		text = strings.TrimPrefix(text, verb)
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// describe says what a field's value is.
func describe(f field) string {
	list := ""
	typ := f.typ
	if typ.Kind() == reflect.Slice && typ != needsType && typ != commandType {
		list, typ = "list of ", typ.Elem()
	}
	if words := strings.Fields(f.tag.Get("enum")); len(words) > 0 {
		return list + "`" + strings.Join(words, "`, `") + "`"
	}
	limits := ""
	if lo, hi := f.tag.Get("min"), f.tag.Get("max"); list == "" && (lo != "" || hi != "") {
		limits = strings.TrimSpace(map[bool]string{true: " from " + lo}[lo != ""] + map[bool]string{true: " up to " + hi}[hi != ""])
		limits = " " + limits
	}
	if form, ok := formOf(typ); ok {
		return list + strings.TrimPrefix(strings.TrimPrefix(form.Name, "a "), "number of ") + limits
	}
	switch {
	case typ == commandType:
		return "command"
	case typ == waveType:
		return "list of names, or of lists of them"
	case typ == needsType:
		return "list, or mapping to durations"
	case typ.Kind() == reflect.Struct && list != "":
		return "list, see below"
	case typ.Kind() == reflect.Struct:
		return "see below"
	case typ.Kind() == reflect.Map:
		return "mapping to text"
	case typ.Kind() == reflect.Bool:
		return "true or false"
	case typ.Kind() == reflect.String:
		return list + "text"
	case typ.Kind() == reflect.Float64:
		return list + "number" + limits
	}
	return list + "whole number" + limits
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

func cell(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "|", `\|`)
}
