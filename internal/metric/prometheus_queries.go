package metric

import "time"

// Queries implements Asker. A custom metric that cannot be read is not asked for.
func (p *Prometheus) Queries(ask Ask) []Query {
	var all []Query
	for _, arm := range ask.arms() {
		for _, name := range queryNames {
			if s, ok := p.armSelector(name, ask, arm); ok {
				all = append(all, Query{Metric: name, Arm: arm.arm, Query: s.over(p.Interval())})
			}
		}
		for _, m := range ask.Custom {
			all = append(all, m.asked(ask, arm, p.Interval())...)
		}
	}
	return all
}

// asked are the metric's queries for one arm.
func (m CustomMetric) asked(ask Ask, arm armAsk, window time.Duration) []Query {
	selectors, err := m.selectors()
	if err != nil {
		return nil
	}
	var all []Query
	for _, q := range m.queries() {
		all = append(all, Query{Metric: m.Name + "." + q.key, Arm: arm.arm, Query: selectors[q.key].fill(ask.values(arm)).over(window)})
	}
	return all
}

var _ Asker = (*Prometheus)(nil)
