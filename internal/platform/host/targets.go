package host

import "github.com/fairwayhq/fairway/internal/platform"

// Targets returns every target that was ever placed on this machine, and the faults
// of those that cannot be read.
func (p *Platform) Targets() ([]platform.Target, error) { return p.readTargets() }
