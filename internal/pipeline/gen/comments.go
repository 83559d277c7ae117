package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// comments are the comments of types ("HostDefinition") and fields
// ("HostDefinition.Run"), without the name that they begin with in Go.
type comments map[string]string

// readComments reads them from the package's definition*.go.
func readComments(folder string) (comments, error) {
	files, err := filepath.Glob(filepath.Join(folder, "definition*.go"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no definition*.go in %s", folder)
	}
	found := comments{}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, decl := range tree.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.TYPE {
				found.addTypes(gen)
			}
		}
	}
	return found, nil
}

func (c comments) addTypes(gen *ast.GenDecl) {
	for _, spec := range gen.Specs {
		typ := spec.(*ast.TypeSpec)
		doc := typ.Doc
		if doc == nil {
			doc = gen.Doc
		}
		c[typ.Name.Name] = text(doc)
		fields, ok := typ.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range fields.Fields.List {
			for _, name := range f.Names {
				c[typ.Name.Name+"."+name.Name] = text(f.Doc)
			}
		}
	}
}

func text(doc *ast.CommentGroup) string {
	return strings.Join(strings.Fields(doc.Text()), " ")
}

// about returns the comment of a type or field with its Go name replaced.
func (c comments) about(goName, name string) string {
	short := goName[strings.LastIndex(goName, ".")+1:]
	if rest, ok := strings.CutPrefix(c[goName], short+" "); ok {
		return name + " " + rest
	}
	return c[goName]
}

// field is one key of a mapping.
type field struct {
	key                   string
	goName                string
	typ                   reflect.Type
	tag                   reflect.StructTag
	required, short, kind bool
}

// fieldsOf lists the keys of a struct, with those of embedded ones in their place.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		key, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if options == "inline" {
			fields = append(fields, fieldsOf(sf.Type)...)
			continue
		}
		typ := sf.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		fields = append(fields, field{
			key: key, goName: t.Name() + "." + sf.Name, typ: typ, tag: sf.Tag,
			required: strings.Contains(options, "required"),
			short:    strings.Contains(options, "short"),
			kind:     strings.Contains(options, "kind"),
		})
	}
	return fields
}

// formOf is how a value of the type is written, if it is written as text.
func formOf(t reflect.Type) (pipeline.Form, bool) {
	formed, ok := reflect.Zero(t).Interface().(interface{ Form() pipeline.Form })
	if !ok {
		return pipeline.Form{}, false
	}
	return formed.Form(), true
}

var (
	commandType = reflect.TypeFor[pipeline.CommandLine]()
	needsType   = reflect.TypeFor[pipeline.Needs]()
	waveType    = reflect.TypeFor[pipeline.WaveDefinition]()
)
