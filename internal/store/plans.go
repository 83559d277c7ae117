package store

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

const (
	insertPlan = `INSERT INTO plans (hash, body) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING`
	selectPlan = `SELECT body FROM plans WHERE hash = $1`
)

// addPlan stores the plan once, whatever the number of releases that share it,
// and returns its hash.
func (tx *Tx) addPlan(p *pipeline.Plan) (string, error) {
	body, err := p.Encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	return hash, tx.write(insertPlan, hash, string(body))
}

// plan returns the plan of the hash. Many runs share the value, which is safe
// since a plan never changes.
func (tx *Tx) plan(hash string) (*pipeline.Plan, error) {
	if p := tx.plans.get(hash); p != nil {
		return p, nil
	}
	var body string
	found, err := tx.row([]any{&body}, selectPlan, hash)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fault.Errorf(fault.NotFound, "plan %s does not exist", hash)
	}
	p, err := pipeline.ReadPlan([]byte(body))
	if err != nil {
		return nil, err
	}
	tx.plans.put(hash, p)
	return p, nil
}

// maxPlans bounds the decoded plans in memory. A server that shares a database pays for
// each one that it has not with a round trip, and keeps more of them.
const (
	maxPlans       = 64
	maxSharedPlans = 2048
)

// planCache keeps the plans that were used last. A plan belongs to its hash for
// ever, so nothing in here grows stale.
type planCache struct {
	mu     sync.Mutex
	limit  int
	recent *list.List // of cachedPlan, the latest first
	byHash map[string]*list.Element
}

type cachedPlan struct {
	hash string
	plan *pipeline.Plan
}

func newPlanCache(limit int) *planCache {
	return &planCache{limit: limit, recent: list.New(), byHash: make(map[string]*list.Element)}
}

func (c *planCache) get(hash string) *pipeline.Plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byHash[hash]
	if !ok {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(cachedPlan).plan
}

func (c *planCache) put(hash string, p *pipeline.Plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byHash[hash]; ok {
		return
	}
	c.byHash[hash] = c.recent.PushFront(cachedPlan{hash, p})
	if c.recent.Len() > c.limit {
		last := c.recent.Back()
		delete(c.byHash, last.Value.(cachedPlan).hash)
		c.recent.Remove(last)
	}
}
