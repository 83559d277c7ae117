package host

import (
	"maps"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/secret"
)

// environ is the environment of an instance: what is inherited, then the
// settings', then the config's, then the secrets, then what Fairway gives. It
// lives in memory and in the process only.
func environ(s Settings, r platform.Revision, values map[string]string) ([]string, error) {
	env := secret.Inherited()
	for name, value := range s.Env {
		env[name] = expand(value, values)
	}
	maps.Copy(env, r.Config.Env)
	secrets, err := secret.Resolve(r.Config.Secrets)
	if err != nil {
		return nil, err
	}
	maps.Copy(env, secrets)
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
