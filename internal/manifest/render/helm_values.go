package render

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

// readValues reads the values files, the later over the earlier, and sets the single
// values, in the order of their paths.
func readValues(source Source) (map[string]any, error) {
	values := map[string]any{}
	for _, name := range source.Values {
		file := located(source, name)
		text, err := readValuesFile(file)
		if err != nil {
			return nil, err
		}
		more, err := loader.LoadValues(bytes.NewReader(text))
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "the values file %s is not a map in YAML: %w", file, err).
				WithHint("it is written like the chart's own values.yaml")
		}
		values = loader.MergeMaps(values, more)
	}
	for _, key := range slices.Sorted(maps.Keys(source.Set)) {
		if err := set(values, key, source.Set[key]); err != nil {
			return nil, fault.Errorf(fault.Invalid, "the value %s cannot be set: %w", key, err).
				WithHint("a key is written like image.tag or hosts[0].name")
		}
	}
	return values, nil
}

func readValuesFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fault.Errorf(fault.NotFound, "the values file %s cannot be read: %w", file, reason(err)).
			WithHint("the path is relative to fairway.yaml or, with a repository, to its root")
	}
	if !info.Mode().IsRegular() || info.Size() > manifest.MaxText {
		return nil, fault.Errorf(fault.Invalid, "the values file %s is not a file of at most %d MiB", file, manifest.MaxText>>20).
			WithHint("it is written like the chart's own values.yaml")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the values file %s cannot be read: %w", file, reason(err)).
			WithHint("it must be a file that you may read")
	}
	return text, nil
}

// set is what --set does for one key, whose value may hold commas.
func set(values map[string]any, key, value string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	if key == "" || strings.ContainsAny(key, "=,\n") {
		return fmt.Errorf("%q is no path of a value", key)
	}
	if !strings.HasPrefix(value, "{") {
		value = strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(value)
	}
	return strvals.ParseInto(key+"="+value, values)
}

// copied is a copy of values down to their leaves, since rendering changes them.
func copied(values map[string]any) map[string]any {
	out := make(map[string]any, len(values))
	for key, value := range values {
		out[key] = copiedValue(value)
	}
	return out
}

func copiedValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		return copied(value)
	case []any:
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = copiedValue(item)
		}
		return out
	default:
		return value
	}
}
