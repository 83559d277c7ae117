package pipeline_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// refused parses what must have faults, quickly, and returns them.
func refused(t *testing.T, text []byte, within time.Duration) pipeline.Faults {
	t.Helper()
	start := time.Now()
	_, faults := pipeline.Parse("fairway.yaml", text)
	if took := time.Since(start); took > within {
		t.Errorf("took %s, more than %s", took, within)
	}
	if len(faults) == 0 {
		t.Fatal("no fault was found")
	}
	return faults
}

func TestTenMegabytesAreRefusedAtOnce(t *testing.T) {
	text := bytes.Repeat([]byte("service: shop\n"), 10<<20/14)
	faults := refused(t, text, 100*time.Millisecond)
	if !strings.Contains(faults.Error(), "10.0 MiB, more than the 1 MiB") {
		t.Errorf("the fault does not say how large the file is: %v", faults)
	}
}

// A quarter of a mebibyte of anything is read in time that grows with its size only.
func TestNobodyWaitsForOddFiles(t *testing.T) {
	for name, unit := range map[string]string{
		"brackets": "[", "braces": "{", "dashes": "- ", "question marks": "? ", "colons": "a: ", "keys": "a: 1\n",
		"words": "a ", "lines": "a\n", "nothing": "\n", "spaces": " ", "bangs": "! ", "anchors": "&a ", "aliases": "*a ",
		"comments": "#\n", "documents": "---\n", "quotes": "''", "double quotes": `""`, "tabs": "\t", "percents": "%a\n",
		"entries": "- a\n", "one word": "a", "escapes": "\"\\n", "merges": "<<: *a\n", "carets": "|\n ", "returns": "\r", "bad bytes": "\xff",
		"controls": "\x01\n",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, []byte(strings.Repeat(unit, 1<<18/len(unit))), 5*time.Second)
		})
	}
}

func TestDeepIndentationIsRefused(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "%s- a:\n", strings.Repeat(" ", i))
	}
	refused(t, []byte(b.String()), time.Second)
}

func TestAliasesCannotMultiply(t *testing.T) {
	var b strings.Builder
	b.WriteString("service: shop\nhost: {run: ./shop, listen: \"127.0.0.1:8080\"}\nenvironments:\n")
	for i := range 50 {
		fmt.Fprintf(&b, "  - name: e%d\n    stages:\n", i)
		for j := range 50 {
			switch {
			case i+j == 0:
				fmt.Fprintf(&b, "      - check: &c {run: ./x, http: [%s/x]}\n", strings.Repeat("/x, ", 99))
			default:
				b.WriteString("      - check: *c\n")
			}
		}
	}
	faults := refused(t, []byte(b.String()), 3*time.Second)
	if !strings.Contains(faults.Error(), "expand to more than") {
		t.Errorf("the faults do not name the aliases:\n%v", faults)
	}
}

func TestFaultsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	faults := refused(t, []byte(b.String()), time.Second)
	if len(faults) > 101 || !strings.Contains(faults[len(faults)-1].Message, "more than these") {
		t.Errorf("got %d faults, the last is %v", len(faults), faults[len(faults)-1])
	}
}

func TestTextMustBeUTF8(t *testing.T) {
	faults := refused(t, []byte("service: shop\nowner: caf\xe9\n"), time.Second)
	if f := faults[0]; f.Line != 2 || f.Column != 11 || !utf8.ValidString(f.Source) {
		t.Errorf("the place is %d:%d in %q, want 2:11 in valid text", f.Line, f.Column, f.Source)
	}
}

func TestWindowsFilesAreRead(t *testing.T) {
	starter, err := pipeline.Starter("shop", pipeline.PlatformHost)
	if err != nil {
		t.Fatal(err)
	}
	text := "\ufeff" + strings.ReplaceAll(string(starter), "\n", "\r\n")
	if def := parse(t, text); def.Service != "shop" {
		t.Errorf("the service is %q, want shop", def.Service)
	}
}

func TestStarterHasNoFaultsWhateverTheFolderIsCalled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		platform := rapid.SampledFrom(pipeline.StarterPlatforms()).Draw(t, "platform")
		text, err := pipeline.Starter(rapid.String().Draw(t, "folder"), platform)
		if err != nil {
			t.Fatal(err)
		}
		if _, faults := pipeline.Parse("fairway.yaml", text); len(faults) > 0 {
			t.Fatalf("the starter has faults:\n%v", faults)
		}
		if n := bytes.Count(text, []byte("\n")); n > 20 {
			t.Fatalf("the starter has %d lines, at most 20 are promised", n)
		}
	})
}

// Faults point into the file, whatever the file is.
func checkFaults(t interface {
	Helper()
	Fatalf(string, ...any)
}, text []byte) {
	t.Helper()
	def, faults := pipeline.Parse("fairway.yaml", text)
	if (def == nil) != (len(faults) > 0) {
		t.Fatalf("definition %v with %d faults", def != nil, len(faults))
	}
	lines := bytes.Count(bytes.ReplaceAll(text, []byte("\r"), []byte("\n")), []byte("\n")) + 1
	for _, f := range faults {
		if f.Message == "" || f.Line < 0 || f.Line > lines || f.Line > 0 && f.Column < 1 || !utf8.ValidString(f.String()) {
			t.Fatalf("a fault without a place or words: %+v", f)
		}
	}
	if _, err := json.Marshal(faults); err != nil {
		t.Fatalf("the faults are not JSON: %v", err)
	}
	if def != nil {
		compileAnything(t, def)
	}
}

// compileAnything checks that what Parse accepts, Compile can resolve.
func compileAnything(t interface {
	Helper()
	Fatalf(string, ...any)
}, def *pipeline.Definition) {
	t.Helper()
	in := pipeline.Request{Artifact: "./shop", Digest: digest, Files: map[string][]byte{}}
	for _, f := range def.Files() {
		in.Files[f] = nil
	}
	plan, err := pipeline.Compile(def, in)
	if err != nil {
		t.Fatalf("the definition does not compile: %v", err)
	}
	for _, e := range plan.Environments {
		names := map[string]bool{}
		for _, s := range e.Stages {
			if names[s.Name] || s.TimeLimit <= 0 || s.Kind == "" {
				t.Fatalf("environment %s: stage %+v has a double name, no kind or no time limit", e.Name, s)
			}
			names[s.Name] = true
		}
	}
}

// Pieces of real definitions, put together at random, reach deeper than random bytes.
func TestRandomDefinitionsNeverPanic(t *testing.T) {
	full := example(t, "full.yaml")
	lines := strings.Split(full, "\n")
	rapid.Check(t, func(t *rapid.T) {
		mixed := append([]string(nil), lines...)
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			i := rapid.IntRange(0, len(mixed)-1).Draw(t, "line")
			switch rapid.IntRange(0, 4).Draw(t, "change") {
			case 0:
				mixed[i] = mixed[rapid.IntRange(0, len(mixed)-1).Draw(t, "other")]
			case 1:
				mixed = append(mixed[:i], mixed[i+1:]...)
			case 2:
				mixed[i] = " " + mixed[i]
			case 3:
				before, _, _ := strings.Cut(mixed[i], ":")
				mixed[i] = before + ": " + rapid.SampledFrom([]string{"", "~", "1", "-1", "1.5", "x", "true", "[]", "{}", "[x]", "{a: b}", "'", "5%", "10m", "*a", "&a x", "!!int 3", "|", "\"\\u0000\""}).Draw(t, "value")
			case 4:
				if len(mixed[i]) > 0 {
					at := rapid.IntRange(0, len(mixed[i])-1).Draw(t, "at")
					mixed[i] = mixed[i][:at] + mixed[i][at+1:]
				}
			}
		}
		checkFaults(t, []byte(strings.Join(mixed, "\n")))
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example(f, "full.yaml")))
	f.Add([]byte(example(f, "host.yaml")))
	f.Add([]byte("service: &a [*a, {<<: *a}]\n? x\n: |\n  y\n--- \"\n"))
	f.Fuzz(func(t *testing.T, text []byte) { checkFaults(t, text) })
}
