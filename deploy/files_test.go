package deploy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
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
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			object, _, err := strict.Decode(document, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			all = append(all, object)
		}
	}
	return all
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
	account, deployments := "", 0
	for _, o := range objects(t, rest...) {
		switch o := o.(type) {
		case *core.ServiceAccount:
			account = o.Namespace + "/" + o.Name
		case *apps.Deployment:
			deployments++
			confined(t, o)
			flagsOf(t, o)
		}
	}
	if deployments != 2 {
		t.Errorf("there are %d Deployments", deployments)
	}
	for _, o := range objects(t, "../docs/kubernetes-role.yaml") {
		if b, ok := o.(*rbac.RoleBinding); ok && b.Subjects[0].Namespace+"/"+b.Subjects[0].Name != account {
			t.Errorf("the role of the guide is for %v, the worker is %s", b.Subjects[0], account)
		}
	}
}

// confined checks what the namespace's label asks for, and some more.
func confined(t *testing.T, d *apps.Deployment) {
	t.Helper()
	spec := d.Spec.Template.Spec
	if s := spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil {
		t.Errorf("the pods of %s may run as root", d.Name)
	}
	for _, c := range spec.Containers {
		s := c.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil ||
			!*s.ReadOnlyRootFilesystem || s.Capabilities == nil || len(s.Capabilities.Drop) != 1 {
			t.Errorf("container %s of %s has rights that it does not need", c.Name, d.Name)
		}
	}
	if grace := spec.TerminationGracePeriodSeconds; grace == nil || *grace < 15 {
		t.Errorf("%s may not finish what it does", d.Name)
	}
}

// flagsOf checks that the binary knows the flags.
func flagsOf(t *testing.T, d *apps.Deployment) {
	t.Helper()
	args := d.Spec.Template.Spec.Containers[0].Args
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
