package edit_test

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/git/edit"
)

// However a manifest is written, only the bytes of the one value change.
func TestOnlyTheIntendedBytesChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := manifest{t: t, end: rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end of lines")}
		before, value, after := m.write()
		tree := treeOf(map[string]string{"a.yaml": before + value + after})
		got, err := edit.Image(tree, edit.Place{Deployment: "shop", Container: "app"}, tagged)
		if err != nil {
			t.Fatalf("%v in\n%s", err, before+value+after)
		}
		text := string(got.Changed["a.yaml"])
		if !strings.HasPrefix(text, before) || !strings.HasSuffix(text, after) {
			t.Fatalf("more than the image has changed:\n%s\nbecame\n%s", before+value+after, text)
		}
		inside := text[len(before) : len(text)-len(after)]
		if strings.Trim(inside, `"'`) != tagged.String() || quotesOf(inside) != quotesOf(value) {
			t.Fatalf("%s became %s", value, inside)
		}
	})
}

func quotesOf(value string) string { return strings.TrimLeft(value[:1], "abcdefghijklmnopqrstuvwxyz") }

// manifest writes one file with several Deployments and containers in it.
type manifest struct {
	t   *rapid.T
	end string
}

// write returns the file in three parts: the one in the middle is the value.
func (m manifest) write() (before, value, after string) {
	target := rapid.IntRange(0, 2).Draw(m.t, "the Deployment that is meant")
	var parts [3]string
	part := 0
	for i := range 3 {
		name := fmt.Sprintf("other%d", i)
		if i == target {
			name = "shop"
		}
		parts[part] += "---" + m.noise() + "kind: Deployment" + m.noise() + "metadata: {name: " + name + "}" + m.noise()
		parts[part] += "spec:" + m.noise() + "  template:" + m.noise() + "    spec:" + m.noise() + "      containers:" + m.noise()
		app := rapid.IntRange(0, 2).Draw(m.t, "the container that is meant")
		for c := range 3 {
			name := fmt.Sprintf("side%d", c)
			if c == app {
				name = "app"
			}
			head, image, tail := m.container(name)
			if i == target && c == app {
				parts[0] += head
				parts[1], parts[2], part = image, tail, 2
			} else {
				parts[part] += head + image + tail
			}
		}
	}
	return parts[0], parts[1], parts[2]
}

func (m manifest) container(name string) (head, image, tail string) {
	image = rapid.SampledFrom([]string{"shop:v1", `"shop:v1"`, "'shop'", "registry.example.com:5000/a/shop@" + oldDigest, `"sh\x6fp"`}).Draw(m.t, "image")
	if rapid.Bool().Draw(m.t, "in braces") {
		return "      - {name: " + name + `, "image" :  `, image, " , args: [image, " + image + "]}" + m.noise()
	}
	space := strings.Repeat(" ", rapid.IntRange(1, 3).Draw(m.t, "spaces"))
	if rapid.Bool().Draw(m.t, "the image comes first") {
		return "      - image:" + space, image, m.noise() + "        name: " + name + m.noise()
	}
	return "      - name: " + name + m.noise() + "        image:" + space, image, m.noise() + "        args: [" + image + "]" + m.noise()
}

// noise ends a line, with what people leave there.
func (m manifest) noise() string {
	return rapid.SampledFrom([]string{"", "", " # image: shop:v1", "   ", " # ü" + m.end + "# 日本", m.end + m.end}).Draw(m.t, "noise") + m.end
}

// FuzzImage edits any text, and sees to it that the result has the image, and all else
// as it was.
func FuzzImage(f *testing.F) {
	f.Add(two, "app", "")
	f.Add("image: {tag: v1}\n", "", "image.tag")
	f.Add("a: [{b: ''}]\n---\n- x\n", "", "a.0.b")
	f.Add("images:\n- name: app\n  newTag: \"1\" # x\n", "app", "")
	f.Add("images:\n- ", "", "")
	f.Fuzz(func(t *testing.T, text, name, key string) {
		for file, place := range map[string]edit.Place{
			"d.yaml":             {Path: "d.yaml", Deployment: "shop", Container: name},
			"values.yaml":        {Path: "values.yaml", Key: key},
			"kustomization.yaml": {Path: "kustomization.yaml", Name: name},
		} {
			got, err := edit.Image(treeOf(map[string]string{file: text}), place, tagged)
			if err != nil || len(got.Changed) == 0 {
				continue
			}
			edited := string(got.Changed[file])
			was, is := scalars(text), scalars(edited)
			if file != "kustomization.yaml" && differing(was, is) != 1 {
				t.Errorf("%q became %q", text, edited)
			}
			if !strings.Contains(edited, newDigest) {
				t.Errorf("%q became %q, without the digest", text, edited)
			}
			if again, err := edit.Image(treeOf(map[string]string{file: edited}), place, tagged); err != nil || len(again.Changed) > 0 {
				t.Errorf("%q became %q, and then %q (%v)", text, edited, again.Changed[file], err)
			}
		}
	})
}

// scalars are all values of all documents, in the order in which they stand there.
func scalars(text string) []string {
	var all []string
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode {
			all = append(all, n.Value)
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); err != nil {
			return all
		}
		walk(&n)
	}
}

func differing(a, b []string) int {
	if len(a) != len(b) {
		return -1
	}
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}
