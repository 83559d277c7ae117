package pipeline_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

func TestSplitCommand(t *testing.T) {
	for text, want := range map[string][]string{
		`./shop -port $PORT`:         {"./shop", "-port", "$PORT"},
		`  a  "b c"	'd e'  `:         {"a", "b c", "d e"},
		`a"b"'c'd`:                   {"abcd"},
		`'' ""`:                      {"", ""},
		`a\ b "c\"d" '\' "\$x" "\n"`: {"a b", `c"d`, `\`, "$x", `\n`},
		`sh -c 'echo "$PORT; x"'`:    {"sh", "-c", `echo "$PORT; x"`},
		``:                           nil,
	} {
		got, err := pipeline.SplitCommand(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("SplitCommand(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`'open`, `"open`, `end\`} {
		if got, err := pipeline.SplitCommand(text); err == nil {
			t.Errorf("SplitCommand(%q) = %q, want an error", text, got)
		}
	}
}

func TestAQuotedCommandIsSplitAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.StringMatching(`[^']*`)).Draw(t, "words")
		text := ""
		for _, w := range words {
			text += "'" + w + "' "
		}
		got, err := pipeline.SplitCommand(text)
		if err != nil || !slices.Equal(got, words) {
			t.Fatalf("SplitCommand(%q) = %q, %v", text, got, err)
		}
	})
}

func TestQuantities(t *testing.T) {
	type text interface{ UnmarshalText([]byte) error }
	for _, tc := range []struct {
		target text
		text   string
		want   float64
	}{
		{new(pipeline.Share), "5%", 0.05},
		{new(pipeline.Share), "0.7%", 0.007},
		{new(pipeline.Share), "99.99%", 0.9999},
		{new(pipeline.Share), "0", 0},
		{new(pipeline.Points), "2pp", 0.02},
		{new(pipeline.Points), "0.05pp", 0.0005},
		{new(pipeline.Rate), "200/s", 200},
		{new(pipeline.Rate), "30/min", 0.5},
		{new(pipeline.Rate), "9/h", 0.0025},
		{new(pipeline.Duration), "1.5d", float64(36 * time.Hour)},
		{new(pipeline.Duration), "1h30m", float64(90 * time.Minute)},
	} {
		if err := tc.target.UnmarshalText([]byte(tc.text)); err != nil {
			t.Errorf("%s: %v", tc.text, err)
		}
		var got float64
		switch v := tc.target.(type) {
		case *pipeline.Share:
			got = float64(*v)
		case *pipeline.Points:
			got = float64(*v)
		case *pipeline.Rate:
			got = float64(*v)
		case *pipeline.Duration:
			got = float64(*v)
		}
		if got != tc.want {
			t.Errorf("%s is %v, want %v", tc.text, got, tc.want)
		}
	}
	for _, tc := range []struct {
		target text
		texts  []string
	}{
		{new(pipeline.Share), []string{"5", "", "%", "-1%", "1e3%", "NaN%", "5 %", "0x5%"}},
		{new(pipeline.Points), []string{"2%", "2", "pp", "-2pp"}},
		{new(pipeline.Rate), []string{"200", "/s", "200/d", "-1/s", "Inf/s"}},
		{new(pipeline.Duration), []string{"10", "-1s", "NaNd", "Infd", "-1d", "9999999d", "soon", ""}},
	} {
		for _, s := range tc.texts {
			if err := tc.target.UnmarshalText([]byte(s)); err == nil {
				t.Errorf("%T accepts %q", tc.target, s)
			}
		}
	}
}

func TestFilesAreNamedOnce(t *testing.T) {
	def := parse(t, `
service: shop
config: {files: [b.yaml, a.yaml]}
host: {run: ./shop, listen: ":8080"}
environments:
  - {name: production, config: {files: [{from: b.yaml, to: c.yaml}]}}
`)
	if diff := cmp.Diff([]string{"a.yaml", "b.yaml"}, def.Files()); diff != "" {
		t.Errorf("the files differ (-want +got):\n%s", diff)
	}
}

func TestSchemaIsACopy(t *testing.T) {
	s := pipeline.Schema()
	s[0] = 'x'
	if pipeline.Schema()[0] != '{' {
		t.Error("who changes the schema changes it for everybody")
	}
}
