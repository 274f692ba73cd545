package world

import "time"

// dice decides by hashing what it is about, so that no order of events matters.
type dice uint64

// roll returns 64 bits for words.
func (d dice) roll(words ...string) uint64 {
	h := uint64(14695981039346656037) ^ uint64(d)*0x9e3779b97f4a7c15
	for _, w := range words {
		for i := range len(w) {
			h = (h ^ uint64(w[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211 // where one word ends matters
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// chance says whether something with a probability from 0 to 1 happens.
func (d dice) chance(p float64, words ...string) bool {
	return float64(d.roll(words...)>>11)/(1<<53) < p
}

// below returns a number from 0 to n-1.
func (d dice) below(n int, words ...string) int { return int(d.roll(words...) % uint64(n)) }

// between returns a duration, to the nanosecond, so that things that are not one
// thing rarely happen at one instant.
func (d dice) between(least, most time.Duration, words ...string) time.Duration {
	return least + time.Duration(d.roll(words...)%uint64(most-least))
}
