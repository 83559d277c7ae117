package pipeline

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// encodedPlan is a plan as it is stored.
type encodedPlan struct {
	*plainPlan
	Environments []json.RawMessage `json:"environments"`
}

// plainPlan is a Plan without methods.
type plainPlan Plan

// like is what a stored leg says beside what differs.
type like struct {
	// Like names the leg that it is like in everything that it does not say; null says nothing.
	Like string `json:"like,omitempty"`
}

// Encode is the plan as it is stored. A leg is written as what differs from the leg
// before it, since most of them differ only in their region. ReadPlan reads it.
func (p *Plan) Encode() ([]byte, error) {
	if p.Version < legVersion {
		return json.Marshal(p)
	}
	out := encodedPlan{plainPlan: (*plainPlan)(p)}
	for i := range p.Environments {
		b, err := encodeEntry(p, i)
		if err != nil {
			return nil, fault.Errorf(fault.Internal, "encode plan: %w", err)
		}
		out.Environments = append(out.Environments, b)
	}
	return json.Marshal(out)
}

// before returns the leg that the entry is written as like; nil where it stands for itself.
func (p *Plan) before(i int) *Environment {
	if i == 0 || p.Environments[i].Wave() == 0 || p.Environments[i-1].Wave() == 0 || p.Environments[i].In() != p.Environments[i-1].In() {
		return nil
	}
	return &p.Environments[i-1]
}

func encodeEntry(p *Plan, i int) ([]byte, error) {
	is, err := fieldsIn(&p.Environments[i])
	before := p.before(i)
	if err != nil || before == nil {
		return json.Marshal(&p.Environments[i])
	}
	was, err := fieldsIn(before)
	if err != nil {
		return nil, err
	}
	for key, value := range was {
		if same, ok := is[key]; !ok {
			is[key] = json.RawMessage("null")
		} else if bytes.Equal(same, value) {
			delete(is, key)
		}
	}
	if is["like"], err = json.Marshal(before.Name); err != nil {
		return nil, err
	}
	return json.Marshal(is)
}

func fieldsIn(e *Environment) (map[string]json.RawMessage, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	return fields, json.Unmarshal(b, &fields)
}

// decodePlan reads a plan as json.Marshal or Encode writes it. Legs share what they have
// in common.
func decodePlan(b []byte) (*Plan, error) {
	var p Plan
	in := encodedPlan{plainPlan: (*plainPlan)(&p)}
	if err := json.Unmarshal(b, &in); err != nil || in.Environments == nil {
		return &p, err
	}
	p.Environments = make([]Environment, len(in.Environments))
	for i, text := range in.Environments {
		if err := p.decodeEntry(i, text); err != nil {
			return nil, err
		}
	}
	return &p, nil
}

func (p *Plan) decodeEntry(i int, text []byte) error {
	e := &p.Environments[i]
	var l like
	if err := json.Unmarshal(text, e); err != nil {
		return err
	}
	if err := json.Unmarshal(text, &l); err != nil || l.Like == "" {
		return err
	}
	at := slices.IndexFunc(p.Environments[:i], func(e Environment) bool { return e.Name == l.Like })
	if at < 0 {
		return fault.Errorf(fault.Invalid, "the plan says that %s is like %q, which is not before it", e.Name, l.Like)
	}
	var said map[string]json.RawMessage
	if err := json.Unmarshal(text, &said); err != nil {
		return err
	}
	takeOver(reflect.ValueOf(e).Elem(), reflect.ValueOf(&p.Environments[at]).Elem(), said)
	return nil
}

// takeOver sets the fields that were not said.
func takeOver(e, from reflect.Value, said map[string]json.RawMessage) {
	for i := range e.NumField() {
		key, _, _ := strings.Cut(e.Type().Field(i).Tag.Get("json"), ",")
		if _, ok := said[key]; !ok {
			e.Field(i).Set(from.Field(i))
		}
	}
}
