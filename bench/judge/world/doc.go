// Package world simulates a service during a release: two arms, users, noise, and a
// fault in the canary if the scenario has one. It is what the judge and its rivals
// are measured in, so it favours none of them: it knows traffic, not verdicts.
//
// Time goes in ticks of five seconds. In each the world is told the canary's weight
// and instances, and says what both arms did and how much harm the fault did to
// users. A Monitor adds the ticks up to what scrapes would read: increments, with
// scrapes that get lost, instances that restart and counters that begin anew.
//
//	w := world.New(world.Services[2], world.Real, scenario, seed)
//	m := w.Monitor(15 * time.Second)
//	for w.Now() < 90*time.Minute {
//		m.Add(w.Step(0.05, 3))
//		if m.Due(w.Now()) {
//			reading := m.Read(w.Now(), 0.05)
//		}
//	}
//
// The noise is that of a service of several instances: a shared part that hits both
// arms (slow changes, incidents, the time of the day), and a part of its own in each
// instance, of which an arm of k instances shows the mean: an AR(1) process with a
// memory of a minute, gamma noise in every tick, bursts, and a difference that stays.
// The latency of k instances is not drawn instance by instance but from one process
// whose standard deviation is smaller by √k, with the bursts and lasting differences of
// each. A world that is asked to (LookAtInstances) tells the canary's errors by instance.
//
// Everything follows from the seed. The shared noise, each arm's noise, the counts and
// the lost scrapes come from generators of their own, so two players with the same
// seed meet the same weather as far as their weights let them.
package world
