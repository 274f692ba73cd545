package saga

import (
	"fmt"
	"slices"
	"strings"
)

// graph is the steps of a definition while it is being checked, by their index.
type graph struct {
	names []string
	needs [][]int
	// before[i][j] says that step j is needed by step i, if only through others.
	before [][]bool
}

func newGraph(names []string, needs [][]int) *graph {
	g := &graph{names: names, needs: needs, before: make([][]bool, len(names))}
	for i := range names {
		g.before[i] = make([]bool, len(names))
		g.mark(g.before[i], i)
	}
	return g
}

func (g *graph) mark(seen []bool, i int) {
	for _, n := range g.needs[i] {
		if !seen[n] {
			seen[n] = true
			g.mark(seen, n)
		}
	}
}

// cycles returns one cycle for each group of steps that need each other, as
// indexes with the first repeated at the end: each step needs the next one.
func (g *graph) cycles() [][]int {
	var list [][]int
	for i := range g.names {
		inEarlier := slices.ContainsFunc(list, func(c []int) bool { return g.before[i][c[0]] && g.before[c[0]][i] })
		if g.before[i][i] && !inEarlier {
			list = append(list, g.shortestCycle(i))
		}
	}
	return list
}

// shortestCycle returns a shortest way from a step back to it.
func (g *graph) shortestCycle(start int) []int {
	cameFrom := make(map[int]int)
	queue := []int{start}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, n := range g.needs[i] {
			if n == start {
				path := []int{start, i}
				for path[len(path)-1] != start {
					path = append(path, cameFrom[path[len(path)-1]])
				}
				slices.Reverse(path)
				return path
			}
			if _, seen := cameFrom[n]; !seen {
				cameFrom[n] = i
				queue = append(queue, n)
			}
		}
	}
	return nil // unreachable: start is before itself
}

func (g *graph) path(indexes []int) string {
	names := make([]string, len(indexes))
	for i, n := range indexes {
		names[i] = g.names[n]
	}
	return strings.Join(names, " -> ")
}

// order returns the steps so that each comes after all it needs. Of those that
// are free at the same time, the one with the least name comes first: the order
// of the file must not matter, because that of a JSON object does not.
func (g *graph) order() []int {
	order := make([]int, 0, len(g.names))
	placed := make([]bool, len(g.names))
	for len(order) < len(g.names) {
		next := -1
		for i := range g.names {
			free := !placed[i] && !slices.ContainsFunc(g.needs[i], func(n int) bool { return !placed[n] })
			if free && (next < 0 || g.names[i] < g.names[next]) {
				next = i
			}
		}
		if next < 0 {
			return order // a cycle; reported by cycles
		}
		placed[next] = true
		order = append(order, next)
	}
	return order
}

// pivotProblem says why a step cannot stand where it does beside the pivot. The
// point of no return is only one if everything is clearly before or after it.
func (g *graph) pivotProblem(i, pivot int, hasUndo bool) string {
	switch {
	case i == pivot && hasUndo:
		return "is the pivot, so it is never undone: when it may have been done, the run goes forward; remove undo"
	case i == pivot:
		return ""
	case g.before[i][pivot]:
		if hasUndo {
			return fmt.Sprintf("comes after the pivot %q, so it is never undone; remove undo", g.names[pivot])
		}
		return ""
	case g.before[pivot][i]:
		return ""
	default:
		return fmt.Sprintf("is neither before nor after the pivot %q, so it could be running when there is no way back any more; "+
			"let one need the other", g.names[pivot])
	}
}
