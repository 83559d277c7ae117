package kubernetes

import (
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/platform"
)

func TestAThirdImageAtHomeIsNotWaitedFor(t *testing.T) {
	p := &Platform{settings: Settings{Namespace: "shop", Deployment: "shop", Service: "shop", Controller: "argocd"}}
	r := platform.Revision{ID: "r-3", Artifact: platform.Artifact{Ref: "shop:v3"}}
	beside := homeWith(t, "shop:v3", "", "")
	beside.Annotations = map[string]string{}
	p.noteFound(beside, homeWith(t, "shop:v2", "", ""), r.Artifact)
	for image, want := range map[string]string{
		"shop:v2": "Argo CD updates the Deployment shop from the repository",
		"shop:v4": "somebody has given the Deployment shop the image shop:v4, and shop:v3 is awaited; a person has to decide",
	} {
		got, err := p.followHome(t.Context(), &world{home: homeWith(t, image, "", "")}, platform.Lease{}, platform.Target{}, side{beside, r})
		if err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("with %s at home it awaits %q: %v", image, got, err)
		}
	}
}
