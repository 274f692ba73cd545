package engine

import (
	"hash/fnv"
	"strconv"
)

// owned returns which partitions fall to a member: each goes to the member with
// the highest hash for it (rendezvous hashing), so that a member that comes or
// goes moves no partition between the others.
func owned(self string, members []string, partitions int) map[int]bool {
	mine := make(map[int]bool)
	for p := range partitions {
		best, score := "", uint64(0)
		for _, m := range members {
			if s := weight(m, p); best == "" || s > score || s == score && m < best {
				best, score = m, s
			}
		}
		if best == self {
			mine[p] = true
		}
	}
	return mine
}

func weight(member string, partition int) uint64 {
	h := fnv.New64a()
	h.Write([]byte(strconv.Itoa(partition) + "/" + member)) //nolint:errcheck // never fails
	// A finalizer (the one of MurmurHash3) spreads what FNV leaves alike.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
