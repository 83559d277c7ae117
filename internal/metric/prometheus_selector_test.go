package metric

import (
	"strings"
	"testing"
)

func TestSelectorIsFilled(t *testing.T) {
	values := map[string]string{"$revision": `a"b.c\`, "$arm": "canary", "$service": "shop"}
	for _, tc := range []struct{ text, want string }{
		{`up`, `up`},
		{` x:rate_total { } `, `x:rate_total`},
		{`n{r="$revision"}`, `n{r="a\"b.c\\"}`},
		{`n{r='$revision',a!="$arm",}`, `n{r="a\"b.c\\",a!="canary"}`},
		{"n{r=`x\\$revision`}", `n{r="x\\a\"b.c\\"}`},
		{`n{r=~"$revision|$service-.+$"}`, `n{r=~"a\"b\\.c\\\\|shop-.+$"}`},
		{`{__name__="n", r !~ "v\\d"}`, `{__name__="n",r!~"v\\d"}`},
		{`n{r="it's \t é \u00e9"}`, `n{r="it's \t é é"}`},
	} {
		s, err := parseSelector(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if got := s.fill(values).String(); got != tc.want {
			t.Errorf("%s became %s, want %s", tc.text, got, tc.want)
		}
	}
}

func TestSelectorRefusesWhatIsNotOne(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{``, "the selector is empty"},
		{`{}`, "the selector is empty"},
		{`rate(n[5m])`, `"(n[5m])" follows the selector`},
		{`n[5m]`, `"[5m]" follows the selector`},
		{`n{a="b"} offset 5m`, `"offset 5m" follows the selector`},
		{`n{a="b"`, "a comma or a closing brace"},
		{`n{a="b`, `the closing " is missing`},
		{"n{a=`b}", "the closing ` is missing"},
		{`n{a=b}`, "a quoted string is expected"},
		{`n{a="\q"}`, "an escape is not valid"},
		{`n{a>"b"}`, "a label and one of = != =~ !~"},
		{`n{,}`, "a label and one of"},
	} {
		if _, err := parseSelector(tc.text); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
	}
}

// What is written is read back as the same, so that no value can end its string.
func FuzzSelector(f *testing.F) {
	f.Add(`n{a=~"$revision"}`, `x"} or up{a="`)
	f.Add("n{a='b',c!=`d`}", `\`)
	f.Fuzz(func(t *testing.T, text, value string) {
		s, err := parseSelector(text)
		if err != nil {
			return
		}
		filled := s.fill(map[string]string{"$revision": value})
		again, err := parseSelector(filled.String())
		if err != nil {
			t.Fatalf("%s is not a selector: %v", filled, err)
		}
		if again.String() != filled.String() || len(again.matchers) != len(s.matchers) {
			t.Fatalf("%s was read as %s", filled, again)
		}
	})
}
