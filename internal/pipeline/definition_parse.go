package pipeline

import "reflect"

// Parse reads a fairway.yaml. It returns the definition, or every fault that it
// could find; after a fault of the YAML itself only that one. The name is for the
// faults. It never panics, and input beyond the bounds is refused before it is parsed.
func Parse(name string, src []byte) (*Definition, Faults) {
	source, text := openSource(name, src)
	if len(source.faults) > 0 {
		return nil, source.result()
	}
	root := source.parse(text)
	if root == nil {
		return nil, source.result()
	}
	decoder := newDecoder(source)
	var def Definition
	decoder.decode(reflect.ValueOf(&def).Elem(), root, "", field{})
	if decoder.budget >= 0 {
		(&validator{decoder, &def}).validate()
	}
	if faults := source.result(); len(faults) > 0 {
		return nil, faults
	}
	return &def, nil
}
