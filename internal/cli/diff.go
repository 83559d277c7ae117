package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func diffCommand(c *command) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "diff [SERVICE] ENVIRONMENT ENVIRONMENT",
		Short: "Compare what two environments should run",
		Long: `Compare what two environments should run, as the plans of the releases that are at home
there say it: the artifact, the config, and on Kubernetes the objects, field by field.
Namespaces do not count. ` + "`fairway drift`" + ` tells whether they do run it. Without a service it is
the one that the definition in this folder names.`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				def, _, err := readDefinition(file)
				if err != nil {
					return err
				}
				args = append([]string{def.Service}, args...)
			}
			api, err := c.client()
			if err != nil {
				return err
			}
			first, err := atHome(cmd.Context(), api, args[0], args[1])
			if err != nil {
				return err
			}
			second, err := atHome(cmd.Context(), api, args[0], args[2])
			if err != nil {
				return err
			}
			d := diff{First: first.side, Second: second.side, Differences: drift.Between(first.objects, second.objects, drift.Options{})}
			if d.Differences == nil {
				d.Differences = []drift.Difference{}
			}
			return c.show(d, func(w io.Writer) { d.print(w) })
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", defaultFile, "the definition")
	return cmd
}

// diff is how what two environments should run differs: desired is the first one's, live
// the second one's.
type diff struct {
	First       side               `json:"first"`
	Second      side               `json:"second"`
	Differences []drift.Difference `json:"differences"`
}

// side is what is at home in one environment.
type side struct {
	Environment string `json:"environment"`
	Release     string `json:"release"`
	Version     string `json:"version"`
	Artifact    string `json:"artifact"`
	Digest      string `json:"digest"`
}

type home struct {
	side
	objects []drift.Object
}

func (d diff) print(w io.Writer) {
	printTable(w, []string{"ENVIRONMENT", "VERSION", "ARTIFACT", "RELEASE"}, [][]string{
		{d.First.Environment, d.First.Version, short(d.First.Digest), d.First.Release},
		{d.Second.Environment, d.Second.Version, short(d.Second.Digest), d.Second.Release},
	})
	if len(d.Differences) == 0 {
		fmt.Fprintln(w, "\nThey should run the same.")
		return
	}
	fmt.Fprint(w, "\n"+drift.Text(d.Differences, d.First.Environment, d.Second.Environment))
}

// atHome reads what is at home in an environment.
func atHome(ctx context.Context, api *client.Client, service, environment string) (home, error) {
	s, err := api.Service(ctx, service)
	if err != nil {
		return home{}, err
	}
	whole, _, _ := strings.Cut(environment, "/") // it may be a region
	i := slices.IndexFunc(s.Environments, func(e client.ServiceEnvironment) bool { return e.Name == whole })
	if i < 0 {
		return home{}, fault.Errorf(fault.NotFound, "%s has no environment %q", service, environment).
			WithHint("`fairway status %s` shows those that it has", service)
	}
	if s.Environments[i].Home == "" {
		return home{}, fault.Errorf(fault.Conflict, "no release of %s is at home in %s, so nothing says what should run there", service, environment).
			WithHint("compare when one has succeeded there")
	}
	r, err := api.Release(ctx, s.Environments[i].Home)
	if err != nil {
		return home{}, err
	}
	places := slices.DeleteFunc(r.Plan.Places(environment), func(e *pipeline.Environment) bool { return r.Plan.ServiceOf(e) != service })
	if len(places) == 0 {
		return home{}, fault.Errorf(fault.NotFound, "%s %s does not go to %s", service, r.Version, environment).
			WithHint("`fairway status %s` shows where it goes", r.ID)
	}
	objects, err := planned(r.Plan, places[0])
	of := r.Plan.ComponentOf(places[0])
	return home{side{environment, r.ID, of.Version, of.Artifact, of.Digest}, objects}, err
}

// planned is what a plan says for an environment, as objects: its manifests, and what it
// says beside them.
func planned(plan *pipeline.Plan, env *pipeline.Environment) ([]drift.Object, error) {
	var settings struct {
		Objects []drift.Object `json:"objects"`
	}
	if len(env.Settings) > 0 {
		if err := json.Unmarshal(env.Settings, &settings); err != nil {
			return nil, fault.Errorf(fault.Internal, "read the settings of %s: %w", env.Name, err)
		}
	}
	variables, files, secrets := drift.Object{}, drift.Object{}, drift.Object{}
	of := plan.ComponentOf(env)
	for _, config := range []pipeline.Config{of.Config, env.Config} {
		maps.Copy(variables, anyOf(config.Env))
		maps.Copy(secrets, anyOf(config.Secrets)) // references, not values
		for _, f := range config.Files {
			files[f.Path] = string(f.Content)
		}
	}
	release := drift.Object{"kind": "Release", "metadata": drift.Object{"name": plan.ServiceOf(env)}}
	release["artifact"] = of.Artifact + "@" + of.Digest
	for name, of := range map[string]drift.Object{"env": variables, "files": files, "secrets": secrets} {
		if len(of) > 0 {
			release[name] = of
		}
	}
	return append(settings.Objects, release), nil
}

func anyOf(m map[string]string) drift.Object {
	o := drift.Object{}
	for k, v := range m {
		o[k] = v
	}
	return o
}
