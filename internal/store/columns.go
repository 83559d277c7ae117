package store

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// How Go values stand in columns: a time as nanoseconds since 1970 in UTC with 0
// for the zero time, JSON as text, a missing raw JSON as NULL.

// nanos writes a time. Instants beyond what fits (the year 2262) become the last that does.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Year() >= 2262:
		return math.MaxInt64
	case t.Year() < 1700:
		return math.MinInt64
	}
	return t.UnixNano()
}

func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// timeInto scans a column into a time.
type timeInto struct{ to *time.Time }

func (c timeInto) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", src)
	}
	*c.to = instant(n)
	return nil
}

func rawText(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	return string(raw)
}

// rawInto scans a column into raw JSON.
type rawInto struct{ to *json.RawMessage }

func (c rawInto) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*c.to = nil
	case string:
		*c.to = json.RawMessage(v)
	case []byte:
		*c.to = append(json.RawMessage{}, v...)
	default:
		return fmt.Errorf("a JSON text is stored as %T", src)
	}
	return nil
}

func jsonText(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fault.Errorf(fault.Internal, "write %T as JSON: %w", v, err)
	}
	return string(b), nil
}

// jsonInto scans a column into a value.
type jsonInto struct{ to any }

func (c jsonInto) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return json.Unmarshal([]byte(v), c.to)
	case []byte:
		return json.Unmarshal(v, c.to)
	}
	return fmt.Errorf("a JSON text is stored as %T", src)
}

// limited reads a limit: none where it is not positive.
func limited(n int) int64 {
	if n <= 0 {
		return math.MaxInt64
	}
	return int64(n)
}
