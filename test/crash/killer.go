package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
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

// run kills until ctx ends, and leaves all servers and workers alive.
func (k *killer) run(ctx context.Context) {
	defer k.end()
	for ctx.Err() == nil && len(k.kills) < mostKills && len(k.cards) > 0 {
		k.arm()
		if p := k.firstToEnd(ctx, k.between(1500, 3500)); p != nil {
			k.died(p)
		} else if ctx.Err() == nil {
			k.strike()
		}
		if ctx.Err() == nil {
			k.disarm()
			pause(ctx, k.between(200, 900))
			k.late()
		}
	}
}

// all are those who are killed, and who must not end by themselves.
func (k *killer) all() []*program.Program { return slices.Concat(k.servers, k.workers) }

// firstToEnd waits for the end of one of them; nil when none came in time.
func (k *killer) firstToEnd(ctx context.Context, limit time.Duration) *program.Program {
	ctx, stop := context.WithTimeout(ctx, limit)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer stop()
	ended := make(chan *program.Program, len(k.all()))
	for _, p := range k.all() {
		waiting.Go(func() {
			select {
			case <-p.Ended():
				ended <- p
			case <-ctx.Done():
			}
		})
	}
	select {
	case p := <-ended:
		return p
	case <-ctx.Done():
		return nil
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

// mostCommon is how many cards at common points are aimed at servers, or workers, at once:
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
			if common[c.role()]++; common[c.role()] > mostCommon {
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

// write gives each server the cards for servers, and each worker those for workers: whoever
// comes to the point first dies, and it alone.
func (k *killer) write() {
	for role, all := range map[string][]*program.Program{aServer: k.servers, aWorker: k.workers} {
		mine := slices.DeleteFunc(slices.Clone(k.armed), func(c card) bool { return c.role() != role })
		for _, p := range all {
			if err := k.aimAt(p, mine); err != nil {
				k.faults = append(k.faults, err.Error())
			}
		}
	}
}

// died deals with the end of a process that an aim should have caused.
func (k *killer) died(p *program.Program) {
	at := time.Now()
	word, points := k.hit(p)
	id, _ := strconv.Atoi(word)
	killed, how := p.Killed()
	i := slices.IndexFunc(k.cards, func(c card) bool { return c.id == id })
	if !killed || i < 0 {
		k.faults = append(k.faults, fmt.Sprintf("the %s ended by itself: %s", p.Name, how))
	} else {
		k.played(k.cards[i], points, at, p)
	}
	k.revive(p, at)
}

// strike plays the next card that is not aimed.
func (k *killer) strike() {
	i := slices.IndexFunc(k.cards, func(c card) bool { return !c.aimed() })
	if i < 0 {
		return
	}
	c := k.cards[i]
	if c.moment == theDatabase {
		k.restartDatabase(c)
		return
	}
	server, worker := k.servers[k.random.IntN(len(k.servers))], k.workers[k.random.IntN(len(k.workers))]
	victims := map[string][]*program.Program{
		aServer: {server}, aWorker: {worker}, both: {server, worker}, everybody: k.all(),
	}[c.moment]
	for _, p := range victims {
		p.Kill()
		id, _ := k.hit(p)
		k.unhit(id) // it came to an aim just before; the card stays
	}
	at := time.Now()
	k.played(c, []string{anyTime}, at, victims...)
	for _, p := range victims {
		k.revive(p, at)
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
	k.kills[len(k.kills)-1].victims = []string{theDatabase}
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
// cannot reach a server holds, or when leases have run out and the other worker has taken over.
// Meanwhile that one is left alone.
func (k *killer) revive(p *program.Program, died time.Time) {
	away := k.between(1, 200)
	switch n := k.random.IntN(10); {
	case slices.Contains(k.workers, p) && k.long() || slices.Contains(k.servers, p) && n == 0:
		k.disarm()
		away = k.between(3500, 5500)
	case n <= 2:
		away = k.between(500, 1500)
	}
	time.Sleep(away)
	k.absences = append(k.absences, absence{p.Name, died, time.Now()})
	if err := p.Start(); err != nil {
		k.faults = append(k.faults, fmt.Sprintf("the %s does not start again: %v", p.Name, err))
	}
}

// late revives who was already dying when the aims were taken away.
func (k *killer) late() {
	for _, p := range k.all() {
		select {
		case <-p.Ended():
			k.died(p)
		default:
		}
	}
}

// end takes the aims away and sees that everybody lives.
func (k *killer) end() {
	k.disarm()
	time.Sleep(100 * time.Millisecond) // a call that an aim has counted may still be under way
	k.late()
}
