package metric

import (
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
)

func TestAQueryOfAnyArmKeepsWhatIsOfNone(t *testing.T) {
	for text, want := range map[string]string{
		`n{a="$revision",code="5.."}`:                  `n{a=~".+",code="5.."}`,
		`n{a="$service.x-$revision"}`:                  `n{a=~"a\\.b\\.x-.+"}`,
		`n{a=~"$namespace-$backend-[0-9]+@$service"}`:  `n{a=~".+-.+-[0-9]+@a\\.b"}`,
		`n{a!="$arm",b=~"$arm|x",c!~"$backend",d="$"}`: `n{b=~".+|x",d="$"}`,
		`n{a="$revision",s="$service",r="$region"}`:    `n{a=~".+",s="a.b",r=""}`,
	} {
		ask := Ask{Service: "a.b"}
		if got := mustSelector(t, text).ofAnyArm().fill(ask.values(armAsk{})).String(); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}

func TestWhatCannotBeFoundIsSaid(t *testing.T) {
	p := openFake(t, roundTrip(nil))
	p.queries["requests"] = mustSelector(t, `{a!="$revision"}`)
	if _, err := p.Find(t.Context(), askAt(start)); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "the requests query: it only says what an arm is not") {
		t.Errorf("nothing is left of the query: %v", err)
	}
}
