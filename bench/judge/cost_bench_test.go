package main

import (
	"testing"
	"time"
)

func BenchmarkCost(b *testing.B) {
	update := updates(15 * time.Second)
	for i := range b.N {
		update(i)
	}
}
