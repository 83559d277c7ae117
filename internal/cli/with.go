package cli

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// readWith reads what --with says: SERVICE[@VERSION]=ARTIFACT.
func readWith(text string) (companion, error) {
	name, ref, ok := strings.Cut(text, "=")
	service, version, _ := strings.Cut(name, "@")
	if !ok || service == "" || ref == "" {
		return companion{}, fault.Errorf(fault.Invalid, "%q does not name another service and its artifact", text).
			WithHint("for instance --with payments@v3=./build/payments")
	}
	return companion{service: service, version: version, ref: ref}, nil
}

func addWith(cmd *cobra.Command, with *[]string) {
	cmd.Flags().StringArrayVar(with, "with", nil, "another service of the release, as `SERVICE[@VERSION]=ARTIFACT`; the definition names it under with")
}

// companion is another service of a release, read from here. It has no definition where none
// of the others names its file: the server knows that of its newest release.
type companion struct {
	service, version, ref string

	artifact  artifact
	def       *pipeline.Definition
	path      string // of the definition
	text      []byte
	files     map[string][]byte
	manifests rendered
}

// readCompanions reads the other services of a release, with the definitions whose files the
// leading one names, or one that it names.
func readCompanions(ctx context.Context, flags []string, lead *pipeline.Definition, file string, keys sealingKeys) ([]companion, error) {
	var all []companion
	for _, text := range flags {
		one, err := readWith(text)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	files := filesOf(lead, file)
	for read := true; read; {
		read = false
		for i := range all {
			one := &all[i]
			path, named := files[one.service]
			if one.def != nil || !named {
				continue
			}
			if err := one.readFrom(ctx, path, keys); err != nil {
				return nil, err
			}
			for service, path := range filesOf(one.def, path) {
				if _, known := files[service]; !known {
					files[service] = path
				}
			}
			read = true
		}
	}
	for i := range all {
		one := &all[i]
		if one.def != nil {
			continue
		}
		var err error
		if one.artifact, err = readArtifact(one.ref); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// filesOf are the files of definitions that one names, by service, as seen from here.
func filesOf(def *pipeline.Definition, file string) map[string]string {
	files := map[string]string{}
	for _, w := range def.With {
		if w.File != "" {
			files[w.Service] = filepath.Join(filepath.Dir(file), w.File)
		}
	}
	return files
}

func (one *companion) readFrom(ctx context.Context, path string, keys sealingKeys) (err error) {
	if err = one.define(path); err != nil {
		return err
	}
	if one.artifact, err = artifactOf(one.def, one.ref); err != nil {
		return err
	}
	one.manifests, err = readManifests(ctx, one.def, path, one.artifact, keys)
	return err
}

// define reads the definition and its config files.
func (one *companion) define(path string) (err error) {
	if one.def, one.text, err = readDefinition(path); err != nil {
		return err
	}
	one.path = path
	if one.def.Service != one.service {
		return fault.Errorf(fault.Invalid, "%s is the definition of %s, not of %s", path, one.def.Service, one.service).
			WithHint("correct the file that `with` names")
	}
	one.files, err = readFiles(one.def, path)
	return err
}

// checkCompanions reads the definitions that the leading one names files of, or one that it
// names, makes a plan of them as for a release of all, and returns their services in the order
// in which they go.
func checkCompanions(ctx context.Context, lead *pipeline.Definition, file string) ([]string, error) {
	others, err := companionsOf(lead, file)
	if err != nil || len(others) == 0 {
		return nil, err
	}
	ask := pipeline.Request{Artifact: nothing.ref, Digest: nothing.digest}
	if ask.Files, err = readFiles(lead, file); err != nil {
		return nil, err
	}
	manifests, err := readManifests(ctx, lead, file, nothing, sealingKeys{})
	if err != nil {
		return nil, err
	}
	ask.Manifests, ask.Sealed = manifests.objects, manifests.sealed
	for _, one := range others {
		if one.manifests, err = readManifests(ctx, one.def, one.path, nothing, sealingKeys{}); err != nil {
			return nil, fault.Errorf(fault.CodeOf(err), "%s: %w", one.service, err).WithHint("%s", fault.HintOf(err))
		}
		component, err := one.compiled()
		if err != nil {
			return nil, err
		}
		ask.With = append(ask.With, component)
	}
	plan, err := pipeline.Compile(lead, ask)
	if err != nil {
		return nil, err
	}
	services := plan.Services()
	return services[:len(services)-1], nil
}

// companionsOf are the services whose files the leading definition names, or one that it names.
func companionsOf(lead *pipeline.Definition, file string) ([]companion, error) {
	var all []companion
	files, read := filesOf(lead, file), map[string]bool{lead.Service: true}
	for more := true; more; {
		more = false
		for _, service := range slices.Sorted(maps.Keys(files)) {
			if read[service] {
				continue
			}
			read[service], more = true, true
			one := companion{service: service, artifact: nothing}
			if err := one.define(files[service]); err != nil {
				return nil, err
			}
			for other, path := range filesOf(one.def, files[service]) {
				if _, known := files[other]; !known {
					files[other] = path
				}
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// asked is the companion as the server is asked for it.
func (one companion) asked() client.NewComponent {
	return client.NewComponent{
		Service: one.service, Definition: string(one.text), Version: one.version, Artifact: one.artifact.ref, Digest: one.artifact.digest,
		Files: one.files, Manifests: one.manifests.objects, Sealed: one.manifests.sealed,
	}
}

// compiled is the companion as a plan is made of it here.
func (one companion) compiled() (pipeline.ComponentRequest, error) {
	if one.def == nil {
		return pipeline.ComponentRequest{}, fault.Errorf(fault.Invalid, "the plan needs the definition of %s, which is not here", one.service).
			WithHint("name its file: with: [{service: %s, file: ../%s/%s}]", one.service, one.service, defaultFile)
	}
	return pipeline.ComponentRequest{
		Definition: one.def, Version: one.version, Artifact: one.artifact.ref, Digest: one.artifact.digest,
		Files: one.files, Manifests: one.manifests.objects, Sealed: one.manifests.sealed,
	}, nil
}

// titleOf names what a release has, for people: "shop v2 with payments v3".
func titleOf(r client.Release) string {
	title := r.Service + " " + r.Version
	for i, c := range r.With {
		switch {
		case i == 0:
			title += " with "
		case i == len(r.With)-1:
			title += " and "
		default:
			title += ", "
		}
		title += c.Service + " " + c.Version
	}
	return title
}

// servicesOf are the names of a release's services, the leading one first.
func servicesOf(r client.Release) string {
	names := []string{r.Service}
	for _, c := range r.With {
		names = append(names, c.Service)
	}
	return strings.Join(names, ", ")
}
