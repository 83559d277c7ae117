package host

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// inherited is all that a service gets from the worker's own environment, which
// may hold credentials that are none of the service's business.
var inherited = []string{"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"}

// environ is the environment of an instance: what is inherited, then the
// settings', then the config's, then the secrets, then what Fairway gives. It
// lives in memory and in the process only.
func environ(s Settings, r platform.Revision, values map[string]string) ([]string, error) {
	env := map[string]string{}
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	for name, value := range s.Env {
		env[name] = expand(value, values)
	}
	maps.Copy(env, r.Config.Env)
	for name, ref := range r.Config.Secrets {
		value, err := resolve(ref)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "secret %s: %w", name, err).
				WithHint("secrets are resolved on the worker that places the revision")
		}
		env[name] = value
	}
	env["PORT"], env["HOST"] = values["PORT"], values["HOST"]
	env["FAIRWAY_REVISION"], env["FAIRWAY_VERSION"] = r.ID, r.Version

	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !validEnvName(name) || strings.Contains(env[name], "\x00") {
			return nil, fault.Errorf(fault.Invalid, "variable %q cannot be handed to a process", name)
		}
		list = append(list, name+"="+env[name])
	}
	return list, nil
}

// resolve reads a secret from "file:PATH" (without its last newline) or "env:NAME".
func resolve(ref string) (string, error) {
	kind, rest, _ := strings.Cut(ref, ":")
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
		return "", fault.Errorf(fault.Invalid, "the reference does not begin with file: or env:")
	}
}
