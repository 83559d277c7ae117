// Package secret keeps secrets where they belong: it reads them where a reference
// points, says what little of the worker's own environment others may have, and
// takes them out of texts that leave the machine.
//
//	values, err := secret.Resolve(map[string]string{"DB_PASSWORD": "file:/run/secrets/db"})
//	text = secret.NewMask(values).Text(text) // "login with [secret DB_PASSWORD] failed"
//
// It stores nothing: a value is read again whenever it is needed.
package secret

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// inherited is all that a service or a command gets from the worker's own
// environment, which may hold credentials that are none of their business.
var inherited = []string{"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"}

// Inherited is what every environment begins with.
func Inherited() map[string]string {
	env := map[string]string{}
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	return env
}

// Resolve reads the secrets that the references name: "file:PATH" (without its last
// newline) or "env:NAME" of the worker. The first that cannot be read is fault.Invalid.
func Resolve(references map[string]string) (map[string]string, error) {
	values := make(map[string]string, len(references))
	for _, name := range slices.Sorted(maps.Keys(references)) {
		value, err := resolve(references[name])
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "secret %s: %w", name, err).
				WithHint("secrets are resolved on the machine of the worker that needs them")
		}
		values[name] = value
	}
	return values, nil
}

func resolve(reference string) (string, error) {
	kind, rest, _ := strings.Cut(reference, ":")
	switch kind {
	case "file":
		raw, err := os.ReadFile(rest)
		if err != nil {
			return "", err
		}
		return strings.TrimSuffix(string(raw), "\n"), nil
	case "env":
		value, ok := os.LookupEnv(rest)
		if !ok {
			return "", fault.Errorf(fault.Invalid, "the worker has no variable %s", rest)
		}
		return value, nil
	default:
		// The text may be the secret itself, so it is not repeated here.
		return "", fault.Errorf(fault.Invalid, "the reference does not begin with file: or env:")
	}
}
