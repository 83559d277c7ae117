package judge

// History is the stable arm's past, for calibration.
type History struct{}
