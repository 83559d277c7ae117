package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

var digest = "@sha256:" + strings.Repeat("a1", 32)

const pods = `apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      initContainers:
      - {name: migrate, image: "ghcr.io/acme/shop:v1"}
      containers:
      - {name: proxy, image: "envoy:1"}
      - {name: shop, image: "ghcr.io/acme/shop:v1", args: [--slow]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: mail}
spec: {template: {spec: {containers: [{name: mail, image: nginx}]}}}
---
{apiVersion: v1, kind: Service, metadata: {name: shop}}
`

func TestTheImageGoesToTheContainerThatIsMeant(t *testing.T) {
	for name, c := range map[string]struct {
		workload manifest.Workload
		image    string
		want     manifest.Workload
	}{
		"by the repository":         {manifest.Workload{}, "ghcr.io/acme/shop:v2" + digest, manifest.Workload{Deployment: "shop", Container: "shop"}},
		"by the only container":     {manifest.Workload{Deployment: "mail"}, "ghcr.io/acme/other" + digest, manifest.Workload{Deployment: "mail", Container: "mail"}},
		"by a name":                 {manifest.Workload{Deployment: "shop", Container: "proxy"}, "ghcr.io/acme/shop" + digest, manifest.Workload{Deployment: "shop", Container: "proxy"}},
		"an init container by name": {manifest.Workload{Deployment: "shop", Container: "migrate"}, "ghcr.io/acme/shop" + digest, manifest.Workload{Deployment: "shop", Container: "migrate"}},
		"a short name":              {manifest.Workload{}, "docker.io/library/nginx:2" + digest, manifest.Workload{Deployment: "mail", Container: "mail"}},
	} {
		t.Run(name, func(t *testing.T) {
			objects := read(t, pods)
			got, err := manifest.Choose(objects, c.workload, c.image)
			if err != nil || got != c.want {
				t.Fatalf("chose %+v, %v", got, err)
			}
			changed, err := manifest.SetImage(objects, c.workload, c.image)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(read(t, pods), objects); diff != "" {
				t.Errorf("the objects given were changed: %s", diff)
			}
			text := string(changed[0].Raw) + string(changed[1].Raw) + string(changed[2].Raw)
			if strings.Count(text, c.image) != 1 || !strings.Contains(text, `"image":"`+c.image+`","name":"`+c.want.Container+`"`) {
				t.Errorf("set in %s", text)
			}
		})
	}
}

func TestAChoiceThatIsNotClearListsTheChoices(t *testing.T) {
	lonely := "{apiVersion: v1, kind: Service, metadata: {name: a}}"
	twins := strings.ReplaceAll(pods, "envoy:1", "ghcr.io/acme/shop:v0")
	for name, c := range map[string]struct {
		text     string
		workload manifest.Workload
		image    string
		want     []string
	}{
		"no Deployment":       {lonely, manifest.Workload{}, "a" + digest, []string{"no Deployment among the 1 objects"}},
		"a wrong Deployment":  {pods, manifest.Workload{Deployment: "ship"}, "a" + digest, []string{"no Deployment ship", "there is: shop, mail"}},
		"several Deployments": {pods, manifest.Workload{}, "a" + digest, []string{"which Deployment", "docker.io/library/a", "shop, mail", "name the Deployment"}},
		"several containers":  {pods, manifest.Workload{Deployment: "shop"}, "a" + digest, []string{"which container", "proxy (envoy:1), shop (ghcr.io/acme/shop:v1)"}},
		"two alike":           {twins, manifest.Workload{}, "ghcr.io/acme/shop" + digest, []string{"which container", "proxy (ghcr.io/acme/shop:v0), shop (ghcr.io/acme/shop:v1)"}},
		"a wrong container":   {pods, manifest.Workload{Deployment: "shop", Container: "shopp"}, "a" + digest, []string{"no container shopp", "shop (ghcr.io/acme/shop:v1)"}},
		"no containers":       {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}", manifest.Workload{}, "a" + digest, []string{"a has no containers"}},
		"two namespaces": {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: b}}",
			manifest.Workload{Deployment: "a"}, "a" + digest, []string{"2 Deployments named a"}},
		"a tag": {pods, manifest.Workload{}, "ghcr.io/acme/shop:v2", []string{"not pinned", "sha256"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := manifest.SetImage(read(t, c.text), c.workload, c.image)
			if fault.CodeOf(err) != fault.Invalid {
				t.Fatalf("got %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error()+"\n"+fault.HintOf(err), want) {
					t.Errorf("%v (%s) lacks %q", err, fault.HintOf(err), want)
				}
			}
		})
	}
}

func TestRegistriesWithPortsKeepTheirNames(t *testing.T) {
	text := strings.ReplaceAll(pods, "ghcr.io/acme/shop:v1", "localhost:5000/shop")
	got, err := manifest.Choose(read(t, text), manifest.Workload{}, "localhost:5000/shop:v3"+digest)
	if err != nil || got.Container != "shop" {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := manifest.Choose(read(t, text), manifest.Workload{}, "localhost:5001/shop:v3"+digest); err == nil {
		t.Errorf("another port is the same repository: %+v", got)
	}
}
