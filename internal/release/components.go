package release

import (
	"context"
	"encoding/json"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// ComponentRequest is another service of a release that is asked for. Without a Definition,
// that of the service's newest release is used again.
type ComponentRequest struct {
	Service    string
	Definition string
	Version    string
	Artifact   string
	Digest     string
	Files      map[string][]byte
	Manifests  map[string][]json.RawMessage
	Sealed     map[string]string
}

func (a ComponentRequest) validate() error {
	switch {
	case a.Service == "":
		return fault.Errorf(fault.Invalid, "a service that is released together with another has no name").
			WithHint("name the service, as `with` in the definition does")
	case a.Artifact == "":
		return fault.Errorf(fault.Invalid, "%s is released together with another service, and has no artifact", a.Service).
			WithHint("name the file or URL of its build output, or leave it out: what runs of it then stays as it is")
	case !digestForm.MatchString(a.Digest):
		return fault.Errorf(fault.Invalid, "%q is not the digest of an artifact of %s", a.Digest, a.Service).
			WithHint("a digest is sha256: and 64 hexadecimal digits in lower case")
	}
	return nil
}

// defined gives each of the other services its definition: the one that came with the request,
// else the one of its newest release, or of the release that the key already made.
func (c *Control) defined(ctx context.Context, who auth.Identity, ask Request) ([]ComponentRequest, error) {
	if len(ask.With) == 0 {
		return nil, nil
	}
	all := make([]ComponentRequest, len(ask.With))
	copy(all, ask.With)
	return all, c.view(ctx, func(tx Tx) error {
		first, err := repeated(tx, who.User, ask.Key)
		if err != nil {
			return err
		}
		for i := range all {
			one := &all[i]
			if one.Definition != "" {
				continue
			}
			from := first
			if from == nil {
				newest, err := find(tx, one.Service)
				if fault.CodeOf(err) == fault.NotFound {
					return fault.Errorf(fault.NotFound, "%s was never released, so nothing says how", one.Service).
						WithHint("name the file of its definition: with: [{service: %s, file: ../%s/%s}]", one.Service, one.Service, DefinitionName)
				}
				if err != nil {
					return err
				}
				from = &newest
			}
			one.Definition = from.definitionOf(one.Service)
		}
		return nil
	})
}

// others are the other services as the plan is compiled of them.
func (a Request) others() ([]pipeline.ComponentRequest, error) {
	var all []pipeline.ComponentRequest
	for _, one := range a.With {
		def, faults := pipeline.Parse(one.Service+"/"+DefinitionName, []byte(one.Definition))
		if len(faults) > 0 {
			return nil, faulty(faults)
		}
		if def.Service != one.Service {
			return nil, fault.Errorf(fault.Invalid, "the definition that came for %s is of %s", one.Service, def.Service).
				WithHint("send that service's definition")
		}
		if err := hidesValues(one.Manifests, one.Sealed); err != nil {
			return nil, err
		}
		all = append(all, pipeline.ComponentRequest{
			Definition: def, Version: versionOr(one.Version, one.Digest), Artifact: one.Artifact, Digest: one.Digest,
			Files: one.Files, Manifests: one.Manifests, Sealed: one.Sealed,
		})
	}
	return all, nil
}

// components are the other services of the plan with their definitions.
func (a Request) components(plan *pipeline.Plan) []Component {
	all := ComponentsOf(plan)
	for i := range all {
		for _, one := range a.With {
			if one.Service == all[i].Service {
				all[i].Definition = one.Definition
			}
		}
	}
	return all
}
