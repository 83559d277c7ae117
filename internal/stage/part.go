package stage

import (
	"bytes"
	"encoding/json"

	"github.com/fairwayhq/fairway/internal/fault"
)

// worthAPart is how many bytes a part must save to be told instead of the whole.
const worthAPart = 4 << 10

// PartOf is what must be told of a state to whoever knows another one: the members that
// have changed, and null for those that are gone (RFC 7386, on the first level only). A
// state may have what was at home before in it, with all its manifests, which does not
// change from look to look. smaller is false where the whole is told as well as the part.
func PartOf(known, state json.RawMessage) (part json.RawMessage, smaller bool) {
	if len(state) < worthAPart || len(known) == 0 {
		return nil, false
	}
	before, after, changed := map[string]json.RawMessage{}, map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if json.Unmarshal(known, &before) != nil || json.Unmarshal(state, &after) != nil {
		return nil, false
	}
	for name, value := range after {
		if isNull(value) {
			return nil, false // a part cannot say it
		}
		if !bytes.Equal(before[name], value) {
			changed[name] = value
		}
	}
	for name := range before {
		if _, there := after[name]; !there {
			changed[name] = json.RawMessage("null")
		}
	}
	part, err := json.Marshal(changed)
	return part, err == nil && len(part)+worthAPart <= len(state)
}

// WithPart is the state that a part was made of, for who has the known one.
func WithPart(known, part json.RawMessage) (json.RawMessage, error) {
	state, changed := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if len(known) > 0 {
		if err := json.Unmarshal(known, &state); err != nil {
			return nil, fault.Errorf(fault.Invalid, "a part of a state came for a state that has no parts: %w", err)
		}
	}
	if state == nil { // it was null
		state = map[string]json.RawMessage{}
	}
	if err := json.Unmarshal(part, &changed); err != nil {
		return nil, fault.Errorf(fault.Invalid, "a part of a state is not an object: %w", err)
	}
	for name, value := range changed {
		if isNull(value) {
			delete(state, name)
		} else {
			state[name] = value
		}
	}
	whole, err := json.Marshal(state)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "write a state: %w", err)
	}
	return whole, nil
}

func isNull(value json.RawMessage) bool { return string(bytes.TrimSpace(value)) == "null" }
