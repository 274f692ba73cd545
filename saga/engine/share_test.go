package engine

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestShares: each partition has one owner, whatever order the members are listed
// in, and a member that goes moves no partition between the others.
func TestShares(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9-]{1,20}`), 1, 9, rapid.ID).Draw(t, "members")
		partitions := rapid.IntRange(1, 64).Draw(t, "partitions")
		owner := owners(members, partitions)
		for p := range partitions {
			if owner[p] == "" {
				t.Fatalf("partition %d has no owner or two", p)
			}
		}
		shuffled := rapid.Permutation(members).Draw(t, "shuffled")
		if other := owners(shuffled, partitions); !slices.Equal(owner, other) {
			t.Fatalf("in another order the owners are %v, not %v", other, owner)
		}
		gone := rapid.IntRange(0, len(members)-1).Draw(t, "gone")
		after := owners(slices.Delete(slices.Clone(members), gone, gone+1), partitions)
		for p := range partitions {
			if owner[p] != members[gone] && after[p] != owner[p] {
				t.Fatalf("partition %d went from %s to %s when %s left", p, owner[p], after[p], members[gone])
			}
		}
	})
}

// owners returns the owner of each partition; "" for one that has none or two.
func owners(members []string, partitions int) []string {
	owner := make([]string, partitions)
	count := make([]int, partitions)
	for _, m := range members {
		for p := range owned(m, members, partitions) {
			owner[p] = m
			count[p]++
		}
	}
	for p := range owner {
		if count[p] != 1 {
			owner[p] = ""
		}
	}
	return owner
}

// TestSharesAreBalanced: over many groups a member has its fair share, and rarely
// much more.
func TestSharesAreBalanced(t *testing.T) {
	t.Parallel()
	const groups, partitions = 2000, 16
	for _, n := range []int{2, 3, 5} {
		most, total := 0, 0
		for g := range groups {
			var members []string
			for i := range n {
				members = append(members, fmt.Sprintf("%d-%d", g, i))
			}
			mine := len(owned(members[0], members, partitions))
			total += mine
			if mine > 3*partitions/n {
				most++
			}
		}
		mean, fair := float64(total)/groups, float64(partitions)/float64(n)
		if mean < 0.95*fair || mean > 1.05*fair {
			t.Errorf("%d members: one owns %.2f partitions on average, want %.2f", n, mean, fair)
		}
		if most > groups/100 {
			t.Errorf("%d members: in %d of %d groups one owns thrice its share", n, most, groups)
		}
	}
}

func TestStrangerOwnsNothing(t *testing.T) {
	t.Parallel()
	if n := len(owned("x", []string{"a", "b"}, 16)) + len(owned("x", nil, 16)); n != 0 {
		t.Errorf("who is not among the members owns %d partitions", n)
	}
}
