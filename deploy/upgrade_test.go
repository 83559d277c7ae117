package deploy

import (
	"bufio"
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/fairwayhq/fairway/internal/app"
)

// The commands of docs/upgrade.md, as far as that can be seen without a cluster: what each of
// them would apply, and that what is waited for is part of it.
func TestTheGuideReplacesServersBeforeWorkers(t *testing.T) {
	want := [][]string{
		{"Job/migrate"},
		{"Deployment/server", "PodDisruptionBudget/server", "Service/server"},
		{"Deployment/server", "Namespace/fairway", "PodDisruptionBudget/server", "PodDisruptionBudget/worker",
			"Service/server", "Service/worker", "ServiceAccount/fairway-worker", "StatefulSet/worker"},
	}
	waits := map[string]string{"job/migrate": "Job/migrate", "deployment/server": "Deployment/server", "statefulset/worker": "StatefulSet/worker"}
	var applied [][]string
	waited := 0
	for _, command := range guideCommands(t) {
		if apply, ok := strings.CutPrefix(command, "kubectl apply -k deploy/"); ok {
			if waited != len(applied) {
				t.Errorf("%s comes before the former step was waited for", command)
			}
			folder, selector, _ := strings.Cut(apply, " -l ")
			applied = append(applied, namesOf(t, selected(t, built(t, folder), selector)))
			continue
		}
		for word := range strings.FieldsSeq(command) {
			if name, ok := waits[word]; ok {
				if waited++; waited != len(applied) || !slices.Contains(applied[waited-1], name) {
					t.Errorf("%s waits for what is not applied just before", command)
				}
			}
		}
	}
	if len(applied) != len(want) || waited != len(want) {
		t.Fatalf("the guide applies %q, and waits %d times", applied, waited)
	}
	for i := range want {
		if !slices.Equal(applied[i], want[i]) {
			t.Errorf("step %d applies %q, not %q", i+1, applied[i], want[i])
		}
	}
}

// Whatever runs has the one image that people name.
func TestAllPodsHaveTheImageThatIsNamedOnce(t *testing.T) {
	text, err := os.ReadFile("kubernetes/image/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("newName: registry.example.com/fairway\n  newTag: latest\n")) {
		t.Errorf("the image is not named:\n%s", text)
	}
	pods := 0
	for _, folder := range []string{"kubernetes", "kubernetes/migrate"} {
		for _, o := range built(t, folder) {
			if template := templateOf(o); template != nil {
				pods++
				for _, c := range template.Spec.Containers {
					if c.Image != "registry.example.com/fairway:latest" {
						t.Errorf("container %s has the image %s", c.Name, c.Image)
					}
				}
			}
		}
	}
	if pods != 3 {
		t.Errorf("%d kinds of pods were found", pods)
	}
}

// Where both workers are replaced at once, nobody looks at canaries meanwhile.
func TestWorkersAreReplacedOneAfterTheOther(t *testing.T) {
	for _, o := range built(t, "kubernetes") {
		if s, ok := o.(*apps.StatefulSet); ok {
			if s.Spec.Template.Spec.Containers[0].ReadinessProbe == nil || s.Spec.MinReadySeconds < 5 || s.Spec.UpdateStrategy.Type == apps.OnDeleteStatefulSetStrategyType {
				t.Errorf("the next of %s goes before the one before has begun to work", s.Name)
			}
			return
		}
	}
	t.Error("there are no workers")
}

func TestTheJobMigratesAsTheOwner(t *testing.T) {
	job, ok := built(t, "kubernetes/migrate")[0].(*batch.Job)
	if !ok {
		t.Fatal("there is no Job")
	}
	spec := job.Spec.Template.Spec
	confined(t, job.Name, spec)
	c := spec.Containers[0]
	for _, command := range app.Commands() {
		if command.Name() != c.Args[0] {
			continue
		}
		if found, rest, err := command.Find(c.Args[1:]); err != nil || found.Name() != "migrate" || len(rest) > 0 {
			t.Errorf("fairway %q is %v %v, %v", c.Args, found, rest, err)
		}
	}
	if len(c.Env) != 1 || c.Env[0].Name != "FAIRWAY_DATABASE" || c.Env[0].ValueFrom.SecretKeyRef.Name != "owner" {
		t.Errorf("it goes to the database as %+v", c.Env)
	}
}

// guideCommands are the commands about a cluster.
func guideCommands(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/upgrade.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "\n## On Kubernetes\n")
	part, _, _ = strings.Cut(part, "\n## ")
	for line := range strings.Lines(part) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			all = append(all, strings.TrimSpace(command))
		}
	}
	return all
}

// built is what Kustomize makes of the folder, as an API server decodes it.
func built(t *testing.T, folder string) []runtime.Object {
	t.Helper()
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	text, err := all.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, folder, bufio.NewReader(bytes.NewReader(text)))
}

// selected are those that kubectl takes with the selector.
func selected(t *testing.T, all []runtime.Object, selector string) []runtime.Object {
	t.Helper()
	wanted, err := labels.Parse(selector)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(o runtime.Object) bool {
		m, err := meta.Accessor(o)
		return err != nil || !wanted.Matches(labels.Set(m.GetLabels()))
	})
}

func namesOf(t *testing.T, all []runtime.Object) (names []string) {
	t.Helper()
	for _, o := range all {
		m, err := meta.Accessor(o)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, o.GetObjectKind().GroupVersionKind().Kind+"/"+m.GetName())
	}
	slices.Sort(names)
	return names
}

func templateOf(o runtime.Object) *core.PodTemplateSpec {
	switch o := o.(type) {
	case *apps.Deployment:
		return &o.Spec.Template
	case *apps.StatefulSet:
		return &o.Spec.Template
	case *batch.Job:
		return &o.Spec.Template
	}
	return nil
}
