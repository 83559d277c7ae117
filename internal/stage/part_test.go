package stage_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

// long is a value that is worth leaving out.
var long = `"` + strings.Repeat("a", 8<<10) + `"`

func TestOnlyWhatHasChangedIsTold(t *testing.T) {
	known := `{"previous":` + long + `,"weight":0.1,"asks":"what?","old":` + `{"a":1}}`
	state := `{"previous":` + long + `,"weight":0.2,"old":{"a":1},"new":[1,2]}`
	part, smaller := stage.PartOf(json.RawMessage(known), json.RawMessage(state))
	if !smaller || string(part) != `{"asks":null,"new":[1,2],"weight":0.2}` {
		t.Fatalf("the part is %s", part)
	}
	whole, err := stage.WithPart(json.RawMessage(known), part)
	if err != nil || !same(t, string(whole), state) {
		t.Errorf("put together it is %.100s: %v", whole, err)
	}
}

func TestAStateWithoutPartsIsToldAsAWhole(t *testing.T) {
	for _, c := range [][2]string{
		{``, `{"a":` + long + `}`},                            // nothing is known
		{`{"a":` + long + `}`, `{"a":1}`},                     // it is short
		{`7`, `{"a":` + long + `}`},                           // what is known has no parts
		{`{"a":` + long + `}`, long},                          // it has none
		{`{"a":1}`, `{"a":` + long + `}`},                     // all of it is new
		{`{"a":` + long + `}`, `{"a":` + long + `,"b":null}`}, // a part cannot say null
	} {
		if part, smaller := stage.PartOf(json.RawMessage(c[0]), json.RawMessage(c[1])); smaller {
			t.Errorf("from %.30s to %.30s a part is told: %.100s", c[0], c[1], part)
		}
	}
}

func TestAPartThatDoesNotFitIsAFault(t *testing.T) {
	for _, c := range [][2]string{{`7`, `{"a":1}`}, {`{"a":1}`, `7`}, {`{"a":1}`, ``}} {
		if _, err := stage.WithPart(json.RawMessage(c[0]), json.RawMessage(c[1])); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s with %s: %v", c[0], c[1], err)
		}
	}
	if whole, err := stage.WithPart(json.RawMessage(`null`), json.RawMessage(`{"a":1}`)); string(whole) != `{"a":1}` || err != nil {
		t.Errorf("null with a part is %s: %v", whole, err)
	}
}

// Whatever two states are, whoever knows the first and is told the part has the second.
func FuzzPartsMakeTheWhole(f *testing.F) {
	f.Add(`{"a":1,"b":{"c":null}}`, `{"a":2,"d":"x"}`, uint8(0))
	f.Add(`{"a":null}`, `{}`, uint8(3))
	f.Add(`[]`, `{"a":[]}`, uint8(1))
	f.Fuzz(func(t *testing.T, known, state string, n uint8) {
		if !json.Valid([]byte(known)) || !json.Valid([]byte(state)) {
			t.Skip()
		}
		// A long member in both makes a part worth while.
		if n%2 == 0 {
			known, state = withLong(known), withLong(state)
		}
		part, smaller := stage.PartOf(json.RawMessage(known), json.RawMessage(state))
		if !smaller {
			return
		}
		whole, err := stage.WithPart(json.RawMessage(known), part)
		if err != nil || !same(t, string(whole), state) {
			t.Errorf("%s with %s is %s: %v", known, part, whole, err)
		}
	})
}

func withLong(object string) string {
	rest, ok := strings.CutPrefix(strings.TrimSpace(object), "{")
	if !ok {
		return object
	}
	if strings.TrimSpace(rest) == "}" {
		return `{"long":` + long + `}`
	}
	return `{"long":` + long + `,` + rest
}

func same(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}
