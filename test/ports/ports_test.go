package ports

import (
	"math/rand/v2"
	"net"
	"testing"
)

func TestNoPortIsGivenTwice(t *testing.T) {
	r := &Range{first: 19_000, count: 10}
	busy, err := net.Listen("tcp", "127.0.0.1:19004")
	if err != nil {
		t.Skip(err)
	}
	defer busy.Close()
	given := map[string]bool{busy.Addr().String(): true}
	for seed := range uint64(5) { // several campaigns with random numbers of their own
		a, err := r.Free(rand.New(rand.NewPCG(1, seed)))
		if err != nil {
			t.Fatal(err)
		}
		if given[a] {
			t.Errorf("%s is given twice, or somebody listens at it", a)
		}
		given[a] = true
	}
	random := rand.New(rand.NewPCG(1, 9))
	for range 5 {
		_, err = r.Free(random)
	}
	if err == nil {
		t.Errorf("of nine free ports ten were given")
	}
}

func TestTheRangesHaveNoPortInCommon(t *testing.T) {
	if Crash.first+Crash.count > Partition.first || Partition.first+Partition.count > Upgrade {
		t.Errorf("from %d, %d and %d on they overlap", Crash.first, Partition.first, Upgrade)
	}
}
