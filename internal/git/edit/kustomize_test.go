package edit_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/fairwayhq/fairway/internal/git/edit"
)

// The real Kustomize makes the image of what was edited.
func TestKustomizeMakesTheImage(t *testing.T) {
	const base = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: app, image: 'shop:v1'}]}}}\n"
	for name, images := range map[string]string{
		"there are no images":     "",
		"the list is empty":       "images: []\n",
		"others are there":        "images:\n- name: other\n  newTag: v1\n",
		"a tag is there":          "images:\n- name: shop\n  newTag: v1\n",
		"tag and digest are":      "images: [{name: shop, newTag: v1, digest: OLD}]\n",
		"another registry is":     "images:\n  - newName: old.example.com/shop\n    name: shop\n",
		"known by its new name":   "images:\n- {digest: OLD, newName: registry.example.com/shop, name: shop}\n",
		"all of it is there":      "images:\n- {digest: NEW, newTag: v1, newName: registry.example.com/shop, name: shop}\n",
		"comments everywhere are": "# a\nimages: # b\n# c\n- name: shop # d\n  # e\n  newTag: v1 # f\n# g\n",
	} {
		for _, image := range []edit.Ref{bare, tagged} {
			t.Run(name+" "+image.Tag, func(t *testing.T) {
				files := map[string]string{"k/kustomization.yaml": with("resources: [base]\n" + images), "k/base/kustomization.yaml": "resources: [d.yaml]\n", "k/base/d.yaml": base}
				got, err := edit.Image(treeOf(files), edit.Place{Path: "k", Name: "shop"}, image)
				if err != nil {
					t.Fatal(err)
				}
				for file, text := range got.Changed {
					files[file] = string(text)
				}
				fs := filesys.MakeFsInMemory()
				for file, text := range files {
					if err := fs.WriteFile(file, []byte(text)); err != nil {
						t.Fatal(err)
					}
				}
				built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, "k")
				if err != nil {
					t.Fatal(err)
				}
				text, err := built.AsYaml()
				if err != nil {
					t.Fatal(err)
				}
				_, rest, _ := strings.Cut(string(text), "image: ")
				made, _, _ := strings.Cut(rest, "\n")
				if !strings.HasPrefix(made, image.Name) || !strings.HasSuffix(made, "@"+newDigest) {
					t.Errorf("Kustomize makes %q of\n%s", made, files["k/kustomization.yaml"])
				}
				if strings.Contains(made, ":v1@") && name != "all of it is there" {
					t.Errorf("the tag of another image is left: %q", made)
				}
			})
		}
	}
}
