package store

import (
	"crypto/sha256"
	"encoding/hex"

	lru "github.com/hashicorp/golang-lru/v2"

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
	if p, ok := tx.plans.byHash.Get(hash); ok {
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
	tx.plans.byHash.Add(hash, p)
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
	byHash *lru.Cache[string, *pipeline.Plan]
	// runs are the large runs, which whoever has the plans has too.
	runs runCache
}

func newPlanCache(limit int) *planCache { return &planCache{byHash: newCache[*pipeline.Plan](limit)} }

// newCache keeps as many values as limit, which is at least 1, those that were used last.
func newCache[V any](limit int) *lru.Cache[string, V] {
	c, err := lru.New[string, V](limit)
	if err != nil {
		panic(err) // of a limit below 1
	}
	return c
}
