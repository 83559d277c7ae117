package store

import (
	"encoding/binary"

	"github.com/fairwayhq/fairway/internal/judge"
)

// packCustom adds the custom metrics of a sample, and nothing where there are none:
//
//	list of: name, missing, stable, canary
//	arm: all, bad, sum, squares
func packCustom(b []byte, all []judge.CustomSample) []byte {
	if len(all) == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, c := range all {
		for _, text := range []string{c.Name, c.Missing} {
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		}
		for _, n := range []judge.Counts{c.Stable, c.Canary} {
			b = binary.AppendVarint(b, n.All)
			b = binary.AppendVarint(b, n.Bad)
			b = packFloat(b, n.Sum)
			b = packFloat(b, n.Squares)
		}
	}
	return b
}

func (r *unpacker) custom() []judge.CustomSample {
	if r.broken || len(r.rest) == 0 {
		return nil
	}
	n := r.length()
	r.broken = r.broken || n == 0 // an empty list is not written
	all := make([]judge.CustomSample, n)
	for i := range all {
		all[i].Name = string(r.take(r.length()))
		all[i].Missing = string(r.take(r.length()))
		for _, n := range []*judge.Counts{&all[i].Stable, &all[i].Canary} {
			*n = judge.Counts{All: r.int(), Bad: r.int(), Sum: r.float(), Squares: r.float()}
		}
	}
	return all
}
