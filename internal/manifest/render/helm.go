package render

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"text/template"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

// rendering is a chart with what it is rendered with.
type rendering struct {
	where  string
	source Source
	values map[string]any
}

// renderChart does what `helm template` does: a release that is being installed, no
// cluster to look into, no name looked up. Hooks, tests and the folder crds are left
// out, which the second result says.
func renderChart(ctx context.Context, where string, source Source) ([]manifest.Object, []string, error) {
	values, err := readValues(source)
	if err != nil {
		return nil, nil, err
	}
	r := rendering{where, source, values}
	// The second time on another day: what hangs on chance or the clock differs.
	now := time.Now()
	texts, c, err := r.run(ctx, now)
	if err != nil {
		return nil, nil, err
	}
	again, _, err := r.run(ctx, now.AddDate(1, 1, 1).Add(time.Hour+time.Minute+time.Second))
	if err != nil {
		return nil, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if texts[name] != again[name] {
			return nil, nil, fault.Errorf(fault.Invalid, "the template %s of the chart %s renders to something else each time", name, where).
				WithHint("give as a value what it makes by chance or by the clock (randAlphaNum, genCA, now …)")
		}
	}
	objects, leftOut, err := r.objects(texts)
	return objects, append(leftOut, asides(c)...), err
}

// run renders once. The chart is loaded anew each time, since rendering changes it.
func (r rendering) run(ctx context.Context, now time.Time) (texts map[string]string, c *chart.Chart, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.fault(fmt.Errorf("helm panicked: %v", p))
		}
	}()
	if c, err = loader.Load(r.where); err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "the chart %s cannot be read: %w", r.where, err).
			WithHint("`helm lint %s` says more", r.where)
	}
	cluster, err := r.cluster()
	if err != nil {
		return nil, nil, err
	}
	if err := r.check(c, cluster); err != nil {
		return nil, nil, err
	}
	values := copied(r.values)
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, nil, r.fault(err)
	}
	release := common.ReleaseOptions{Name: r.source.Name, Namespace: r.source.Namespace, Revision: 1, IsInstall: true}
	all, err := commonutil.ToRenderValuesWithSchemaValidation(c, values, release, cluster, schemaElsewhere(c))
	if err != nil {
		return nil, nil, r.fault(err)
	}
	clock := template.FuncMap{"now": func() time.Time { return now }}
	texts, err = engine.Engine{CustomTemplateFuncs: clock}.RenderWithContext(ctx, c, all)
	if err != nil {
		return nil, nil, r.fault(err)
	}
	return texts, c, nil
}

// fault says that the chart does not render, in Helm's words, which name the template.
func (r rendering) fault(err error) *fault.Error {
	return fault.Errorf(fault.Invalid, "the chart %s does not render: %s", r.where, strings.TrimSpace(err.Error())).
		WithHint("`helm template %s` with the same values should print the objects", r.where)
}

// cluster is what the chart sees of one.
func (r rendering) cluster() (*common.Capabilities, error) {
	wanted := r.source.KubernetesVersion
	if wanted == "" {
		wanted = DefaultKubernetesVersion
	}
	version, err := common.ParseKubeVersion(wanted)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%q is no version of Kubernetes: %w", wanted, err).
			WithHint("write for instance %s", DefaultKubernetesVersion)
	}
	cluster := common.DefaultCapabilities.Copy()
	cluster.KubeVersion = *version
	cluster.APIVersions = slices.Concat(cluster.APIVersions, r.source.APIVersions)
	return cluster, nil
}

// check refuses what Helm would not install.
func (r rendering) check(c *chart.Chart, cluster *common.Capabilities) error {
	if c.Metadata.Type == "library" {
		return fault.Errorf(fault.Invalid, "the chart %s is a library, which has no objects of its own", r.where).
			WithHint("point at a chart that uses it")
	}
	constraint := c.Metadata.KubeVersion
	if constraint != "" && !chartutil.IsCompatibleRange(constraint, cluster.KubeVersion.String()) {
		return fault.Errorf(fault.Invalid, "the chart %s asks for Kubernetes %s; it is rendered for %s",
			r.where, constraint, cluster.KubeVersion.Version).WithHint("name your cluster's version")
	}
	vendored := map[string]bool{}
	for _, d := range c.Dependencies() {
		vendored[d.Name()] = true
	}
	var missing []string
	for _, d := range c.Metadata.Dependencies {
		if !vendored[d.Name] {
			missing = append(missing, d.Name)
		}
	}
	if len(missing) > 0 {
		return fault.Errorf(fault.Invalid, "%s names dependencies that are not in its folder charts: %s",
			path.Join(r.where, "Chart.yaml"), strings.Join(missing, ", ")).
			WithHint("run `helm dependency build %s` and commit the folder charts", r.where)
	}
	return nil
}

// schemaElsewhere tells whether checking values against a chart's schema would fetch
// parts of it, or read other files.
func schemaElsewhere(c *chart.Chart) bool {
	for _, scheme := range []string{`"http:`, `"https:`, `"file:`} {
		for line := range strings.Lines(string(c.Schema)) {
			if strings.Contains(line, `"$ref"`) && strings.Contains(line, scheme) {
				return true
			}
		}
	}
	return slices.ContainsFunc(c.Dependencies(), schemaElsewhere)
}

// objects reads what the templates became, and leaves hooks out.
func (r rendering) objects(texts map[string]string) (objects []manifest.Object, leftOut []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if path.Base(name) == "NOTES.txt" {
			continue
		}
		found, err := manifest.ReadLoosely(name+" (rendered)", []byte(texts[name]))
		if err != nil {
			return nil, nil, err
		}
		for _, o := range found {
			if hook := o.Annotation("helm.sh/hook"); hook != "" {
				leftOut = append(leftOut, fmt.Sprintf("%s of %s is a hook (%s), which is not run", o, name, hook))
				continue
			}
			objects = append(objects, o)
		}
	}
	return objects, leftOut, nil
}

// asides says what else of a chart plays no part.
func asides(c *chart.Chart) []string {
	var said []string
	for _, d := range c.CRDObjects() {
		said = append(said, fmt.Sprintf("the custom resource definitions of %s are not installed with a release", d.Filename))
	}
	slices.Sort(said)
	if schemaElsewhere(c) {
		said = append(said, "the values are not checked against the chart's schema, parts of which lie elsewhere")
	}
	return said
}
