package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fairwayhq/fairway/test/program"
)

// killer plays cards during one round.
type killer struct {
	*rig
	cards  []card // still to be played
	armed  []card
	kills  []kill
	faults []string
	round  int
	began  time.Time
}

// mostKills bounds the kills of a round, so that releases come to their ends.
const mostKills = 17 // three rounds for the 50 of the short form

// run kills until ctx ends, and leaves server and worker alive.
func (k *killer) run(ctx context.Context) {
	defer k.end()
	for ctx.Err() == nil && len(k.kills) < mostKills && len(k.cards) > 0 {
		k.arm()
		chance := time.NewTimer(k.between(1500, 3500))
		select {
		case <-ctx.Done():
		case <-k.server.Ended():
			k.died(k.server)
		case <-k.worker.Ended():
			k.died(k.worker)
		case <-chance.C:
			k.strike()
		}
		chance.Stop()
		if ctx.Err() == nil {
			k.disarm()
			pause(ctx, k.between(200, 900))
			k.late()
		}
	}
}

func (k *killer) between(least, most int) time.Duration {
	return time.Duration(least+k.random.IntN(most-least)) * time.Millisecond
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// mostCommon is how many cards at common points are aimed at one process at once:
// more would leave no time for the others.
const mostCommon = 4

// arm aims all cards at rare points and a few at common ones.
func (k *killer) arm() {
	k.armed = nil
	common := map[string]int{}
	for _, c := range k.cards {
		if !c.aimed() {
			continue
		}
		if often(c.point) > 1 {
			if common[c.victim()]++; common[c.victim()] > mostCommon {
				continue
			}
		}
		k.armed = append(k.armed, c)
	}
	// One commit may be several points; the rare ones first.
	slices.SortStableFunc(k.armed, func(a, b card) int { return often(a.point) - often(b.point) })
	k.write()
}

func (k *killer) disarm() {
	armed := k.armed
	k.armed = nil
	k.write()
	k.armed = armed // a process may be dying of one of them
}

func (k *killer) write() {
	for _, p := range []*program.Program{k.server, k.worker} {
		mine := slices.DeleteFunc(slices.Clone(k.armed), func(c card) bool { return c.victim() != p.Name })
		if err := k.aimAt(p, mine); err != nil {
			k.faults = append(k.faults, err.Error())
		}
	}
}

// died deals with the end of a process that an aim should have caused.
func (k *killer) died(p *program.Program) {
	at := time.Now()
	<-p.Ended()
	word, points := k.hit(p)
	id, _ := strconv.Atoi(word)
	killed, how := p.Killed()
	i := slices.IndexFunc(k.cards, func(c card) bool { return c.id == id })
	if !killed || i < 0 {
		k.faults = append(k.faults, fmt.Sprintf("the %s ended by itself: %s", p.Name, how))
	} else {
		k.played(k.cards[i], points, at, p)
	}
	k.revive(p)
}

// strike plays the next card that is not aimed.
func (k *killer) strike() {
	i := slices.IndexFunc(k.cards, func(c card) bool { return !c.aimed() })
	if i < 0 {
		return
	}
	c := k.cards[i]
	if c.moment == databaseVictim {
		k.restartDatabase(c)
		return
	}
	victims := map[string][]*program.Program{
		"server": {k.server}, "worker": {k.worker}, "both": {k.server, k.worker}, secondVictim: {k.second},
	}[c.moment]
	for _, p := range victims {
		p.Kill()
		k.hit(p) // it may have come to an aim just before; the card stays
	}
	k.played(c, []string{anyTime}, time.Now(), victims...)
	for _, p := range victims {
		k.revive(p)
	}
}

// restartDatabase kills PostgreSQL and starts it again.
func (k *killer) restartDatabase(c card) {
	at := time.Now()
	err := k.database.Kill()
	time.Sleep(k.between(1, 1500))
	if err := errors.Join(err, k.database.Restart()); err != nil {
		k.faults = append(k.faults, fmt.Sprintf("PostgreSQL does not start again: %v", err))
	}
	k.played(c, []string{anyTime}, at)
	k.kills[len(k.kills)-1].victims = []string{databaseVictim}
}

func (k *killer) played(c card, points []string, at time.Time, victims ...*program.Program) {
	k.cards = slices.DeleteFunc(k.cards, func(o card) bool { return o.id == c.id })
	done := kill{card: c, points: points, at: at, round: k.round}
	for _, p := range victims {
		done.victims = append(done.victims, p.Name)
	}
	k.kills = append(k.kills, done)
}

// revive starts a process again: mostly soon, sometimes only when a worker that
// cannot reach the server holds, or when leases have run out.
func (k *killer) revive(p *program.Program) {
	absence := k.between(1, 200)
	switch n := k.random.IntN(10); {
	case n == 0:
		absence = k.between(3200, 4500)
	case n <= 2:
		absence = k.between(500, 1500)
	}
	time.Sleep(absence)
	if err := p.Start(); err != nil {
		k.faults = append(k.faults, fmt.Sprintf("the %s does not start again: %v", p.Name, err))
	}
}

// late revives who was already dying when the aims were taken away.
func (k *killer) late() {
	for _, p := range []*program.Program{k.server, k.worker} {
		select {
		case <-p.Ended():
			k.died(p)
		default:
		}
	}
}

// end takes the aims away and sees that both processes live.
func (k *killer) end() {
	k.disarm()
	time.Sleep(100 * time.Millisecond) // a call that an aim has counted may still be under way
	k.late()
}
