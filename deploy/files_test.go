package deploy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/fairwayhq/fairway/internal/app"
)

// objects decodes the files as an API server does that refuses unknown fields.
func objects(t *testing.T, files ...string) (all []runtime.Object) {
	t.Helper()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, decoded(t, file, bufio.NewReader(bytes.NewReader(text)))...)
	}
	return all
}

func decoded(t *testing.T, from string, text *bufio.Reader) (all []runtime.Object) {
	t.Helper()
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	documents := yaml.NewYAMLReader(text)
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := strict.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", from, err)
		}
		all = append(all, object)
	}
}

func TestManifestsAreWhatAClusterTakes(t *testing.T) {
	files, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rest []string
	for _, f := range files {
		if filepath.Base(f) != "kustomization.yaml" {
			rest = append(rest, f)
		}
	}
	account := ""
	pods, budgets := map[string]core.PodTemplateSpec{}, map[string]map[string]string{}
	for _, o := range objects(t, rest...) {
		switch o := o.(type) {
		case *core.ServiceAccount:
			account = o.Namespace + "/" + o.Name
		case *apps.Deployment:
			pods[o.Name] = o.Spec.Template
		case *apps.StatefulSet:
			pods[o.Name] = o.Spec.Template
			outlives(t, o)
		case *policy.PodDisruptionBudget:
			budgets[o.Name] = o.Spec.Selector.MatchLabels
		}
	}
	for _, name := range []string{"server", "worker"} {
		p := pods[name]
		if len(p.Spec.Containers) != 1 {
			t.Fatalf("%s has %d containers", name, len(p.Spec.Containers))
		}
		confined(t, name, p.Spec)
		flagsOf(t, p.Spec.Containers[0])
		if len(p.Labels) == 0 || !maps.Equal(budgets[name], p.Labels) {
			t.Errorf("a drained node may take every %s: its budget is for %v", name, budgets[name])
		}
		if spread := p.Spec.TopologySpreadConstraints; len(spread) != 1 || !maps.Equal(spread[0].LabelSelector.MatchLabels, p.Labels) {
			t.Errorf("every %s may be on one node: %v", name, spread)
		}
	}
	for _, o := range objects(t, "../docs/kubernetes-role.yaml") {
		if b, ok := o.(*rbac.RoleBinding); ok && b.Subjects[0].Namespace+"/"+b.Subjects[0].Name != account {
			t.Errorf("the role of the guide is for %v, the worker is %s", b.Subjects[0], account)
		}
	}
}

// outlives checks that the data of a worker is still there when its pod is replaced: under its
// name, in a volume of its own.
func outlives(t *testing.T, s *apps.StatefulSet) {
	t.Helper()
	worker := s.Spec.Template.Spec.Containers[0]
	if !slices.Contains(worker.Args, "--name=$(POD)") {
		t.Errorf("the workers of %s do not have the names of their pods: %v", s.Name, worker.Args)
	}
	kept := slices.IndexFunc(worker.VolumeMounts, func(m core.VolumeMount) bool { return m.MountPath == "/data" })
	if kept < 0 {
		t.Fatalf("the workers of %s have no data folder", s.Name)
	}
	for _, c := range s.Spec.VolumeClaimTemplates {
		if c.Name == worker.VolumeMounts[kept].Name {
			return
		}
	}
	t.Errorf("the data of the workers of %s ends with their pods", s.Name)
}

// A password among the arguments is shown to everybody who may list processes.
func TestThePasswordOfTheDatabaseIsNoArgument(t *testing.T) {
	for _, o := range objects(t, "kubernetes/server.yaml") {
		d, ok := o.(*apps.Deployment)
		if !ok {
			continue
		}
		server := d.Spec.Template.Spec.Containers[0]
		for _, arg := range server.Args {
			if strings.Contains(arg, "database") {
				t.Errorf("the server's arguments have %s", arg)
			}
		}
		for _, e := range server.Env {
			if e.Name == "FAIRWAY_DATABASE" && e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				return
			}
		}
	}
	t.Error("no server has FAIRWAY_DATABASE from a Secret")
}

// confined checks what the namespace's label asks for, and some more.
func confined(t *testing.T, name string, spec core.PodSpec) {
	t.Helper()
	if s := spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil {
		t.Errorf("the pods of %s may run as root", name)
	}
	for _, c := range spec.Containers {
		s := c.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil ||
			!*s.ReadOnlyRootFilesystem || s.Capabilities == nil || len(s.Capabilities.Drop) != 1 {
			t.Errorf("container %s of %s has rights that it does not need", c.Name, name)
		}
	}
	if grace := spec.TerminationGracePeriodSeconds; grace == nil || *grace < 15 {
		t.Errorf("%s may not finish what it does", name)
	}
}

// flagsOf checks that the binary knows the flags.
func flagsOf(t *testing.T, container core.Container) {
	t.Helper()
	args := container.Args
	for _, c := range app.Commands() {
		if c.Name() != args[0] {
			continue
		}
		for _, arg := range args[1:] {
			name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
			if name != "server" && c.Flags().Lookup(name) == nil {
				t.Errorf("fairway %s has no flag --%s", args[0], name)
			}
		}
		return
	}
	t.Errorf("fairway has no command %q", args[0])
}

func TestUnitsAreValid(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd on this machine")
	}
	for _, name := range []string{"fairway-server.service", "fairway-worker.service"} {
		text, err := os.ReadFile(filepath.Join("systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		// The binary is not installed here.
		unit := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(unit, bytes.ReplaceAll(text, []byte("/usr/local/bin/fairway "), []byte("/bin/true ")), 0o600); err != nil {
			t.Fatal(err)
		}
		output, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
		if err != nil || len(bytes.TrimSpace(output)) > 0 {
			t.Errorf("%s: %v\n%s", name, err, output)
		}
	}
}

// A worker that is stopped with all its processes would take the services with it.
func TestTheWorkersUnitStopsTheWorkerAlone(t *testing.T) {
	text, err := os.ReadFile("systemd/fairway-worker.service")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("\nKillMode=process\n")) || bytes.Contains(text, []byte("PrivateTmp")) {
		t.Error("what the worker has started ends with it, or lives in a place that does")
	}
}

func TestTheImageIsFromScratchAndNotForRoot(t *testing.T) {
	text := dockerfile(t)
	_, last, ok := strings.Cut(text, "\nFROM scratch AS fairway\n")
	if !ok || strings.Contains(last, "\nFROM ") {
		t.Fatal("the last stage is not from scratch")
	}
	for _, line := range []string{"USER 65532:65532", "/etc/ssl/certs/ca-certificates.crt", `ENTRYPOINT ["/usr/local/bin/fairway"]`} {
		if !strings.Contains(last, line) {
			t.Errorf("the image lacks %s", line)
		}
	}
	if !strings.Contains(text, "CGO_ENABLED=0") {
		t.Error("the binary would need a C library, which the image does not have")
	}
}
