package judge

import (
	"encoding/json"

	"github.com/fairwayhq/fairway/internal/fault"
)

// MarshalJSON writes the whole state.
func (j Judge) MarshalJSON() ([]byte, error) { return json.Marshal(&j.state) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (j *Judge) UnmarshalJSON(b []byte) error {
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		return fault.Errorf(fault.Invalid, "read the judge's state: %w", err)
	}
	if len(st.Tracks) == 0 || st.Tracks[0] == nil || st.Tracks[0].Bound != 0 {
		return fault.Errorf(fault.Invalid, "read the judge's state: it has no errors metric")
	}
	j.state = st
	for _, t := range j.state.Tracks {
		if t == nil {
			return fault.Errorf(fault.Invalid, "read the judge's state: it has an empty metric")
		}
		t.bind(&j.state.Settings, &j.state.Calibration)
		if !t.complete() {
			return fault.Errorf(fault.Invalid, "read the judge's state: the metric %q is incomplete", t.Name)
		}
	}
	if name, ok := j.state.bindCustom(); !ok {
		return fault.Errorf(fault.Invalid, "read the judge's state: the custom metric %q is incomplete", name)
	}
	return nil
}

// complete tells whether t, read back and bound, has the right shape.
func (t *track) complete() bool {
	return t.Harm.complete(len(t.rules.effects)) && t.Proof.complete() && (t.Ratio == nil || len(t.Ratio) == ratioPoints)
}

// complete tells whether r, read back, has the right shape, and makes its scratch space.
func (r *regression) complete(n int) bool {
	r.now = make([]float64, n)
	return len(r.Booked) == n && len(r.Open) == n && len(r.Start) == n
}

func (p *noninferiority) complete() bool {
	n := len(equals)
	p.now = make([]float64, n)
	return len(p.Booked) == n && len(p.Open) == n && len(p.Start) == n
}
