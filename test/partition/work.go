package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

const (
	// badWithin and goodWithin are how long after the first traffic of a release its cut
	// comes: while a bad version is not found yet, and anywhere in the life of a good one.
	badWithin  = 1500 * time.Millisecond
	goodWithin = 20 * time.Second
	// underWay is how much later than a cut a step may still be seen that had begun before:
	// the answer to the last sign of life is at most so old, and the look at the table later.
	underWay = 700 * time.Millisecond
)

// cutOff is one cut or loss, and what was seen.
type cutOff struct {
	cell        string
	bad, two    bool
	killed      bool // and started again, cut off
	lost        bool // instead of being cut off
	how         cutting
	began, ends time.Time
	// first is when the version had its first traffic, gone when that was taken away.
	first, gone time.Time
	// steps were made by the one that was cut off, late ones while it must have known.
	steps, late int
	// kept tells that there was a journal at the end of the cut, spilt that the value of a
	// secret was in one.
	kept, spilt bool
	// exposed tells that the version was a canary with traffic when its worker was lost, and
	// looked when the other one first looked after that.
	exposed bool
	looked  time.Time
}

// kind is the row of the table.
func (x cutOff) kind() string {
	kind := "good"
	if x.bad {
		kind = "bad"
	}
	switch {
	case x.killed:
		kind += ", the worker killed"
	case x.lost:
		kind += ", one of two workers " + string(x.how)
	case x.two:
		kind += ", two workers"
	}
	return kind
}

// retreated tells that the traffic was taken back during the cut.
func (x cutOff) retreated() bool { return x.gone.After(x.began) && x.gone.Before(x.ends) }

// work works off the cell's share of the cuts or losses. After the first mishap it ends: the next
// release would wait for the one that has not ended.
func (c *cell) work(ctx context.Context, r *result) {
	err := c.open(ctx)
	for range c.o.plain {
		if err == nil {
			err = c.plain(ctx, r)
		}
	}
	for n := 0; n < c.share() && err == nil; n++ {
		err = c.cutOnce(ctx, r, n%2 == 0, c.how(n))
	}
	if err != nil {
		r.wrong("%s: %v", c.region, err)
	}
}

// open brings the first version home, and lets users come.
func (c *cell) open(ctx context.Context) error {
	d, err := c.ship(ctx, false)
	if err != nil {
		return err
	}
	if err := c.ended(ctx, d.ID, pipeline.RunSucceeded); err != nil {
		return err
	}
	return c.visit()
}

// plain sees how long a bad version keeps traffic with a connection.
func (c *cell) plain(ctx context.Context, r *result) error {
	d, err := c.ship(ctx, true)
	if err != nil {
		return err
	}
	if err := c.ended(ctx, d.ID, pipeline.RunRolledBack); err != nil {
		return err
	}
	if first, gone := back(c.watch.seen()); !gone.IsZero() {
		r.plain(gone.Sub(first))
	}
	return nil
}

// how is how the cell's nth cut is made: of two bad releases one each way, and of two good ones.
func (c *cell) how(n int) cutting {
	if c.loses() {
		return []cutting{killed, frozen}[(n/2+n+c.index/4)%2]
	}
	return []cutting{swallowed, broken}[(n/2+c.index)%2]
}

// cutOnce cuts the worker off that steers, or loses it, at a random moment after the first
// traffic.
func (c *cell) cutOnce(ctx context.Context, r *result, bad bool, how cutting) error {
	d, err := c.ship(ctx, bad)
	if err != nil {
		return err
	}
	if err := until(ctx, time.Minute, "release "+d.ID+" has traffic", func() bool { return c.watch.last().fresh > 0 }); err != nil {
		return err
	}
	within, want := goodWithin, pipeline.RunSucceeded
	if bad {
		within, want = badWithin, pipeline.RunRolledBack
	}
	sleep(ctx, time.Duration(c.random.Int64N(int64(within))))
	now := c.watch.last()
	who := now.holder
	if c.proxies[who] == nil {
		return fmt.Errorf("%q steers, which is no worker of the cell", who)
	}
	x := cutOff{cell: c.region, bad: bad, two: c.two(), killed: c.kills(), lost: c.loses(), how: how, exposed: now.fresh > 0 && now.kept}
	if err := c.strike(ctx, &x, who, d.ID); err != nil {
		return err
	}
	err = c.ended(ctx, d.ID, want)
	c.judge(&x, who)
	if told := c.toldLate(ctx, d.ID, x); err == nil && !told {
		r.wrong("%s: what was done while cut off is not in the ledger of release %s", c.region, d.ID)
	}
	if x.spilt {
		r.wrong("%s: the value of a secret is in a journal", c.region)
	}
	r.add(x)
	return err
}

// strike cuts the worker off or loses it, and has it back when the cut is over.
func (c *cell) strike(ctx context.Context, x *cutOff, who, release string) error {
	x.began = time.Now()
	if err := c.part(ctx, *x, who); err != nil {
		return err
	}
	gone := time.Now()
	sleep(ctx, time.Until(x.began.Add(c.o.cut)))
	x.ends = time.Now()
	journals, spilt := c.kept()
	x.kept, x.spilt = journals > 0, spilt
	if x.lost { // before it can look itself
		var err error
		if x.looked, err = c.seenBy(ctx, release, gone, who); err != nil {
			return err
		}
	}
	return c.join(*x, who)
}

// part parts the worker from the server, or from life.
func (c *cell) part(ctx context.Context, x cutOff, who string) error {
	w := c.workers[who]
	switch {
	case x.how == frozen:
		return w.Freeze()
	case x.how == killed:
		w.Kill()
		return nil
	}
	c.proxies[who].cut(x.how)
	if !x.killed {
		return nil
	}
	sleep(ctx, time.Duration(c.random.Int64N(int64(2*time.Second))))
	w.Kill()
	return w.Start()
}

// join undoes what part did.
func (c *cell) join(x cutOff, who string) error {
	switch x.how {
	case frozen:
		return c.workers[who].Thaw()
	case killed:
		return c.workers[who].Start()
	}
	c.proxies[who].cut(passing)
	return nil
}

// toldLate waits until the ledger has what the worker did that was cut off and has lost its
// task to the other one, where it did something.
func (c *cell) toldLate(ctx context.Context, release string, x cutOff) bool {
	if !x.two || x.lost || !x.bad || !x.retreated() || c.o.cut < c.o.lease {
		return true
	}
	return until(ctx, 30*time.Second, "it is told", func() bool {
		page, err := c.api.Events(ctx, release, 0, 200)
		return err == nil && slices.ContainsFunc(page.Items, func(e client.Event) bool { return e.Kind == "worker.late" })
	}) == nil
}

// judge reads off the looks what happened during the cut.
func (c *cell) judge(x *cutOff, who string) {
	looks := c.watch.seen()
	x.first, x.gone = back(looks)
	for i := 1; i < len(looks); i++ {
		a, b := looks[i-1], looks[i]
		if b.at.Before(x.began) || b.at.After(x.ends) || b.holder != who || !forward(a, b) {
			continue
		}
		if x.steps++; b.at.Sub(x.began) > underWay {
			x.late++
		}
	}
}
