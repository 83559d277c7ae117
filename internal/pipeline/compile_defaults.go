package pipeline

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"
)

// fillDefaults sets every field that is still zero and has a `default` tag, also
// in the structs inside. The tag is the one place where a default stands: the
// reference and the JSON Schema read it too.
func fillDefaults(target any) {
	fillStruct(reflect.ValueOf(target).Elem())
}

func fillStruct(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		tag, ok := v.Type().Field(i).Tag.Lookup("default")
		switch {
		case ok && f.IsZero():
			setDefault(f, tag)
		case f.Kind() == reflect.Struct:
			fillStruct(f)
		}
	}
}

func setDefault(f reflect.Value, text string) {
	if f.Kind() == reflect.Pointer {
		f.Set(reflect.New(f.Type().Elem()))
		f = f.Elem()
	}
	if u, ok := f.Addr().Interface().(encoding.TextUnmarshaler); ok {
		mustDefault(text, u.UnmarshalText([]byte(text)))
		return
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(text)
	case reflect.Bool:
		f.SetBool(text == "true")
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		mustDefault(text, err)
		f.SetInt(n)
	case reflect.Slice:
		words := strings.Split(strings.Trim(text, "[]"), ", ")
		f.Set(reflect.ValueOf(words))
	default:
		panic("pipeline: no default for a " + f.Type().String())
	}
}

func mustDefault(text string, err error) {
	if err != nil {
		panic("pipeline: default " + text + ": " + err.Error())
	}
}
