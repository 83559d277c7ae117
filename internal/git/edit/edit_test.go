package edit_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/git/edit"
)

var (
	oldDigest = "sha256:" + strings.Repeat("0a", 32)
	newDigest = "sha256:" + strings.Repeat("4f", 32)
	bare      = edit.Ref{Name: "registry.example.com/shop", Digest: newDigest}
	tagged    = edit.Ref{Name: "registry.example.com/shop", Tag: "v2", Digest: newDigest}
)

// treeOf is a repository with these files.
func treeOf(files map[string]string) edit.Tree {
	return edit.Tree{
		Paths: slices.Sorted(maps.Keys(files)),
		Read: func(paths ...string) (map[string][]byte, error) {
			read := map[string][]byte{}
			for _, p := range paths {
				text, ok := files[p]
				if !ok {
					return nil, fmt.Errorf("%s was asked for, and is not there", p)
				}
				read[p] = []byte(text)
			}
			return read, nil
		},
	}
}

// with writes OLD and NEW as the digests that they are.
func with(text string) string {
	return strings.NewReplacer("OLD", oldDigest, "NEW", newDigest).Replace(text)
}

const two = `# What the shop runs.
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: a}   # the shop
spec:
  template:
    spec:
      initContainers:
      - name: migrate
        image: registry.example.com/shop:v1 # the same as below
      containers:
      - name: proxy
        image: envoy:v1
        # the image is set by a release
      - image:   "registry.example.com/shop:v1"   # and nothing else
        name: app
        env: [{name: IMAGE, value: registry.example.com/shop:v1}]


---
# The second.
kind: Deployment
apiVersion: apps/v1
metadata:
    name:   cart
spec:
    template: {spec: {containers: [{name: app, image: 'cart:v1'}]}}
---
kind: Service
metadata: {name: shop}
`

func TestAnImageIsSetInPlace(t *testing.T) {
	for name, tc := range map[string]struct {
		place       edit.Place
		image       edit.Ref
		file        string
		text        string
		from, to    string // what is replaced in text; equal if nothing is
		others      map[string]string
		beforeValue string
	}{
		"the container is named": {
			place: edit.Place{Path: "apps", Deployment: "shop", Container: "app"}, image: bare, file: "apps/shop.yaml", text: two,
			from: `"registry.example.com/shop:v1"`, to: `"registry.example.com/shop@NEW"`, beforeValue: "registry.example.com/shop:v1",
		},
		"an init container is named": {
			place: edit.Place{Path: "apps", Deployment: "shop", Container: "migrate"}, image: tagged, file: "apps/shop.yaml", text: two,
			from: "registry.example.com/shop:v1 #", to: "registry.example.com/shop:v2@NEW #",
		},
		"the only container needs no name": {
			place: edit.Place{Deployment: "cart"}, image: bare, file: "apps/shop.yaml", text: two,
			from: "'cart:v1'", to: "'registry.example.com/shop@NEW'",
		},
		"the path is a file": {
			place: edit.Place{Path: "/apps/shop.yaml", Deployment: "cart"}, image: bare, file: "apps/shop.yaml", text: two,
			from: "'cart:v1'", to: "'registry.example.com/shop@NEW'",
			others: map[string]string{"apps/other.yaml": "kind: Deployment\nmetadata: {name: cart}\nspec: {template: {spec: {containers: [{image: x}]}}}\n"},
		},
		"the namespace tells two of a name apart": {
			place: edit.Place{Deployment: "shop", Namespace: "a", Container: "app"}, image: bare, file: "apps/shop.yaml", text: two,
			from: `"registry.example.com/shop:v1"`, to: `"registry.example.com/shop@NEW"`,
			others: map[string]string{"b.yaml": "kind: Deployment\nmetadata: {name: shop, namespace: b}\nspec: {template: {spec: {containers: [{name: app, image: x}]}}}\n"},
		},
		"templates beside it do not matter": {
			place: edit.Place{Deployment: "cart"}, image: bare, file: "apps/shop.yaml", text: two,
			from: "'cart:v1'", to: "'registry.example.com/shop@NEW'",
			others: map[string]string{"templates/d.yaml": "kind: Deployment\nmetadata: {{ .Values.x }}\n  - ]"},
		},
		"the digest is there already, with another tag": {
			place: edit.Place{Deployment: "a"}, image: tagged, file: "a.yaml",
			text: "kind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{image: 'registry.example.com/shop:other@NEW'}]}}}\n",
		},
		"no line end, characters of many bytes and a byte order mark": {
			place: edit.Place{Deployment: "a"}, image: bare, file: "a.yaml",
			text: "\uFEFFkind: Deployment\r\nmetadata: {name: a, labels: {ü: \"日本\"}}\r\nspec: {template: {spec: {containers: [{name: \"日本\", image: a:b}]}}}",
			from: "a:b", to: "registry.example.com/shop@NEW",
		},
		"an anchor that nobody uses stays": {
			place: edit.Place{Deployment: "a"}, image: bare, file: "a.yaml",
			text: "kind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{image: &i !!str  a:b}]}}}\n",
			from: "a:b", to: "registry.example.com/shop@NEW",
		},
		"an alias is replaced": {
			place: edit.Place{Deployment: "a"}, image: bare, file: "a.yaml",
			text: "x: &i a:b\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{image: *i }]}}}\n",
			from: "*i", to: "registry.example.com/shop@NEW", beforeValue: "a:b",
		},
		"an object of a list": {
			place: edit.Place{Deployment: "a"}, image: bare, file: "a.json",
			text: "{\"kind\": \"List\", \"items\": [{\"kind\": \"Deployment\", \"metadata\": {\"name\": \"a\"},\n\t\"spec\": {\"template\": {\"spec\": {\"containers\": [{\"image\": \"a:b\"}]}}}}]}\n",
			from: "a:b", to: "registry.example.com/shop@NEW",
		},

		"kustomize: a digest is replaced": {
			place: edit.Place{Path: "k"}, image: bare, file: "k/kustomization.yaml",
			text: "images: # ours\n  - name: other\n    digest: OLD\n  - name: registry.example.com/shop\n    digest: OLD # by releases\nresources: []\n",
			from: "OLD # by", to: "NEW # by", beforeValue: "registry.example.com/shop@OLD",
		},
		"kustomize: a tag gives way to the digest": {
			place: edit.Place{Path: "k"}, image: bare, file: "k/kustomization.yaml",
			text: "images:\n- newTag: \"1.0\" # x\n  name: registry.example.com/shop\n",
			from: `newTag: "1.0"`, to: `digest: "NEW"`,
		},
		"kustomize: a tag goes with the digest": {
			place: edit.Place{Path: "k"}, image: tagged, file: "k/kustomization.yaml",
			text: "images:\n- name: registry.example.com/shop # x\n  newTag: v1\n",
			from: "# x\n  newTag: v1\n", to: "# x\n  digest: NEW\n  newTag: v2\n",
		},
		"kustomize: a tag that nobody knows goes": {
			place: edit.Place{Path: "k"}, image: bare, file: "k/kustomization.yaml",
			text: "images:\n- name: registry.example.com/shop\n  newTag: v1\n  digest: OLD\n",
			from: "  newTag: v1\n  digest: OLD\n", to: "  digest: NEW\n",
		},
		"kustomize: a tag that comes first goes": {
			place: edit.Place{Path: "k"}, image: bare, file: "k/kustomization.yaml",
			text: "images:\n- newTag: v1\n  digest: OLD\n  name: registry.example.com/shop",
			from: "newTag: v1\n  digest: OLD\n", to: "digest: NEW\n",
		},
		"kustomize: an entry in braces": {
			place: edit.Place{Path: "k"}, image: bare, file: "k/kustomization.yaml",
			text: "images: [{digest: OLD, name: registry.example.com/shop, newTag: v1}]\n",
			from: "{digest: OLD, name: registry.example.com/shop, newTag: v1}", to: "{digest: NEW, name: registry.example.com/shop}",
		},
		"kustomize: a name of the manifests gets a new name": {
			place: edit.Place{Path: "k", Name: "shop"}, image: bare, file: "k/kustomization.yaml",
			text: "images:\n- name: shop",
			from: "- name: shop", to: "- name: shop\n  newName: registry.example.com/shop\n  digest: NEW",
		},
		"kustomize: the entry is known by the name that it gives": {
			place: edit.Place{Path: "k"}, image: bare, file: "k/kustomization.yaml",
			text: "images:\n- {name: shop, newName: registry.example.com/shop}\n",
			from: "{name: shop,", to: "{name: shop, digest: NEW,",
		},
		"kustomize: it is set already": {
			place: edit.Place{Path: "k", Name: "shop"}, image: tagged, file: "k/kustomization.yaml",
			text: "images:\n- {name: shop, newName: registry.example.com/shop, digest: NEW}\n",
		},
		"kustomize: an entry is added to the list": {
			place: edit.Place{Path: "k"}, image: bare, file: "k/kustomization.yaml",
			text: "resources: [../base]\nimages:\n    - name: other\n      newTag: v1 # x\n# the end\nnamePrefix: a-\n",
			from: "# x\n", to: "# x\n    - name: registry.example.com/shop\n      digest: NEW\n",
			others: map[string]string{
				"base/kustomization.yaml": "resources: [d.yaml]\n",
				"base/d.yaml":             "kind: Deployment\nspec: {template: {spec: {containers: [{image: registry.example.com/shop:v1}]}}}\n",
			},
		},
		"kustomize: an entry is added to an empty list": {
			place: edit.Place{Path: "k"}, image: bare, file: "k/kustomization.yml",
			text: "resources: ['https://example.com/base']\nimages: [] # none\n",
			from: "[]", to: "[{name: registry.example.com/shop, digest: NEW}]",
		},
		"kustomize: a list is added": {
			place: edit.Place{Path: "k", Name: "shop"}, image: bare, file: "k/Kustomization",
			text: "resources:\n- https://example.com/base # x",
			from: "# x", to: "# x\nimages:\n- name: shop\n  newName: registry.example.com/shop\n  digest: NEW\n",
		},
		"kustomize: nothing stands in the list yet": {
			place: edit.Place{Path: "k"}, image: bare, file: "k/kustomization.yaml",
			text: "images: # here\nresources: ['https://example.com/base']\n",
			from: "# here\n", to: "# here\n- name: registry.example.com/shop\n  digest: NEW\n",
		},

		"a value that is a digest": {
			place: edit.Place{Path: "chart", Key: "image.digest"}, image: tagged, file: "chart/values.yaml",
			text: "# x\nimage:\n    repository: shop\n    digest:   'OLD'  # y\n\ndigest: OLD\n",
			from: "'OLD'", to: "'NEW'", beforeValue: oldDigest,
		},
		"a value that is empty": {
			place: edit.Place{Path: "chart", Key: "image.digest"}, image: tagged, file: "chart/values.yaml",
			text: "image:\n  digest: # y\n  tag: v1\n", from: "digest:", to: "digest: NEW",
		},
		"a value that is a tag": {
			place: edit.Place{Path: "chart", Key: "app.imageTag"}, image: tagged, file: "chart/values.yaml",
			text: "app: {imageTag: \"1.0\"}\n", from: `"1.0"`, to: `"v2@NEW"`,
		},
		"a value that is the image, in a list and with a dot": {
			place: edit.Place{Path: "x.yaml", Key: `spec.a\.b.0.image`}, image: tagged, file: "x.yaml",
			text: "kind: Namespace\n---\nspec:\n  a.b:\n  - image: shop:v1 # y\n", from: "shop:v1", to: "registry.example.com/shop:v2@NEW",
		},
		"a tag with this digest": {
			place: edit.Place{Path: "chart", Key: "tag"}, image: bare, file: "chart/values.yaml", text: "tag: v9@NEW\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			old := with(tc.text)
			files := map[string]string{tc.file: old}
			maps.Copy(files, tc.others)
			got, err := edit.Image(treeOf(files), tc.place, tc.image)
			if err != nil {
				t.Fatal(err, fault.HintOf(err))
			}
			if got.File != tc.file {
				t.Errorf("the image is set in %q, not %q", got.File, tc.file)
			}
			if tc.beforeValue != "" && got.Before != with(tc.beforeValue) {
				t.Errorf("before it was %q, not %q", got.Before, with(tc.beforeValue))
			}
			if tc.from == tc.to {
				if len(got.Changed) > 0 {
					t.Fatalf("something was changed: %s", got.Changed)
				}
				return
			}
			if n := strings.Count(old, with(tc.from)); n != 1 {
				t.Fatalf("%q stands %d times in the file", tc.from, n)
			}
			want := strings.Replace(old, with(tc.from), with(tc.to), 1)
			if text := string(got.Changed[tc.file]); text != want || len(got.Changed) != 1 {
				t.Fatalf("the file became\n%s\nnot\n%s", text, want)
			}
			// Who sets it again finds nothing to do.
			files[tc.file] = want
			if again, err := edit.Image(treeOf(files), tc.place, tc.image); err != nil || len(again.Changed) > 0 {
				t.Errorf("set again, it is changed again: %s (%v)", again.Changed, err)
			}
		})
	}
}

func TestAPlaceThatIsNotClearIsRefused(t *testing.T) {
	deployment := func(rest string) string {
		return "kind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: " + rest + "}}}\n"
	}
	for name, tc := range map[string]struct {
		place edit.Place
		image edit.Ref
		files map[string]string
		code  fault.Code
		says  string
	}{
		"no such path": {edit.Place{Path: "x", Deployment: "a"}, bare, map[string]string{"xy.yaml": ""}, fault.NotFound, `has no "x"`},
		"no Deployment is named": {edit.Place{}, bare, map[string]string{"a.yaml": deployment("[{image: x}]")},
			fault.Invalid, "which Deployment"},
		"no such Deployment": {edit.Place{Deployment: "b"}, bare, map[string]string{"a.yaml": deployment("[{image: x}]")},
			fault.NotFound, "Deployments there are a"},
		"the Deployment is a template": {edit.Place{Deployment: "a"}, bare, map[string]string{"a.yaml": "kind: Deployment\nmetadata:\n  name: {{ .Values.name }}\n"},
			fault.NotFound, "a.yaml is no plain YAML"},
		"the file is no YAML": {edit.Place{Deployment: "a"}, bare, map[string]string{"a.yaml": "kind: Deployment\n{{ if .Values.on }}\nx: y\n"},
			fault.NotFound, "a.yaml is no plain YAML"},
		"two containers and no name": {edit.Place{Deployment: "a"}, bare, map[string]string{"a.yaml": deployment("[{name: x, image: x}, {name: y, image: y}]")},
			fault.Invalid, "x, y"},
		"no such container": {edit.Place{Deployment: "a", Container: "z"}, bare, map[string]string{"a.yaml": deployment("[{name: x, image: x}]")},
			fault.NotFound, "its containers are x"},
		"two files have it": {edit.Place{Deployment: "a"}, bare, map[string]string{"a.yaml": deployment("[{image: x}]"), "b.yml": deployment("[{image: x}]")},
			fault.Invalid, "a.yaml, b.yml"},
		"an anchor that others use": {edit.Place{Deployment: "a"}, bare, map[string]string{"a.yaml": deployment("[{image: &i x, env: [{name: i, value: *i}]}]")},
			fault.Invalid, "anchor"},
		"a folded value": {edit.Place{Deployment: "a"}, bare, map[string]string{"a.yaml": "kind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n      containers:\n      - image: >-\n          x\n"},
			fault.Invalid, "not on one line"},
		"a list written in two places": {edit.Place{Deployment: "a"}, bare, map[string]string{"a.yaml": deployment("&c [{image: x}]") + "copy: *c\n"},
			fault.Invalid, "more than one place"},
		"kustomize: nothing uses the name": {edit.Place{Path: "k"}, bare,
			map[string]string{"k/kustomization.yaml": "resources: [a.yaml]\n", "k/a.yaml": deployment("[{image: shop:v1}]")}, fault.NotFound, "they use shop"},
		"kustomize: two entries": {edit.Place{Path: "k", Name: "x"}, bare, map[string]string{"k/kustomization.yaml": "images: [{name: x}, {name: x}]\n"},
			fault.Invalid, "more than one entry"},
		"kustomize: two files": {edit.Place{Path: "k"}, bare, map[string]string{"k/kustomization.yaml": "", "k/Kustomization": ""},
			fault.Invalid, "more than one kustomization"},
		"no such value": {edit.Place{Path: "c", Key: "image.digest"}, bare, map[string]string{"c/values.yaml": "image: {tag: v1, name: x}\n"},
			fault.NotFound, "image has name, tag"},
		"a value of several": {edit.Place{Path: "c", Key: "image"}, bare, map[string]string{"c/values.yaml": "image: {tag: v1, name: x}\n"},
			fault.Invalid, "image.name, image.tag"},
		"a tag without a tag": {edit.Place{Path: "c", Key: "tag"}, bare, map[string]string{"c/values.yaml": "tag: v1\n"},
			fault.Invalid, "no tag"},
		"no values at all": {edit.Place{Path: "c", Key: "tag"}, bare, map[string]string{"c/x.yaml": "tag: v1\n"},
			fault.NotFound, "values.yaml"},
		"a key that stands there twice": {edit.Place{Path: "c", Key: "tag"}, tagged, map[string]string{"c/values.yaml": "tag: v1\ntag: v1\n"},
			fault.Invalid, "already defined"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := edit.Image(treeOf(tc.files), tc.place, tc.image)
			if fault.CodeOf(err) != tc.code {
				t.Fatalf("Image() = %s, %v (%s), want %s", got.Changed, err, fault.CodeOf(err), tc.code)
			}
			if said := err.Error() + " " + fault.HintOf(err); !strings.Contains(said, tc.says) {
				t.Errorf("it says %q and nothing of %q", said, tc.says)
			}
		})
	}
}

func TestParseImage(t *testing.T) {
	for text, want := range map[string]edit.Ref{
		"shop@" + newDigest:                          {Name: "shop", Digest: newDigest},
		"localhost:5000/a/b_c-d:v1.0-x@" + newDigest: {Name: "localhost:5000/a/b_c-d", Tag: "v1.0-x", Digest: newDigest},
		"localhost:5000/shop@" + newDigest:           {Name: "localhost:5000/shop", Digest: newDigest},
	} {
		got, err := edit.ParseImage(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("ParseImage(%q) = %#v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "shop", "shop:v1", "shop@sha256:12", "a b@" + newDigest, "@" + newDigest, "shop:@x@" + newDigest, "-x@" + newDigest, "a\n@" + newDigest} {
		if got, err := edit.ParseImage(text); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("ParseImage(%q) = %#v, %v", text, got, err)
		}
	}
}
