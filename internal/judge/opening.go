package judge

import "time"

// Opening is what a judge begins with. With the samples that follow it makes a
// record from which everybody comes to the same verdicts again.
type Opening struct {
	Settings    Settings    `json:"settings"`
	Calibration Calibration `json:"calibration"`
	Start       time.Time   `json:"start"`
}

// Judge begins the comparison.
func (o Opening) Judge() *Judge { return New(o.Settings, o.Calibration, o.Start) }
