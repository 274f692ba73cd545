package validate

import "github.com/santhosh-tekuri/jsonschema/v6"

// maxChain is how many subschemas may be at work on one value at a time, each
// called by the one before through $ref, allOf and the like. The library calls
// itself for each, once more for each level of the document, at 1.4 KB of stack a
// call; a stack over 1 GB ends the process, and nothing can recover that.
const maxChain = 200

// longestChain bounds how many of the subschemas can be at work on one value. It
// is exact unless they call each other in a circle, where it counts all of them.
func longestChain(all []*jsonschema.Schema) int {
	anchors := make(map[string][]*jsonschema.Schema)
	for _, s := range all {
		if s.DynamicAnchor != "" {
			anchors[s.DynamicAnchor] = append(anchors[s.DynamicAnchor], s)
		}
	}
	const open = -1
	length := make(map[*jsonschema.Schema]int) // of the longest chain that begins there
	circle := false
	var measure func(*jsonschema.Schema) int
	measure = func(s *jsonschema.Schema) int {
		if n, ok := length[s]; ok {
			circle = circle || n == open
			return n
		}
		length[s] = open
		longest := 0
		for _, next := range calls(s, anchors) {
			longest = max(longest, measure(next))
		}
		length[s] = longest + 1
		return longest + 1
	}
	longest := 0
	for _, s := range all {
		longest = max(longest, measure(s))
	}
	if circle {
		return len(all)
	}
	return longest
}

// calls returns the subschemas that a schema may apply to the value it is applied
// to, or to the name of a member of it. Which one a $dynamicRef means is known
// only at work, so it counts for all that carry the anchor.
func calls(s *jsonschema.Schema, anchors map[string][]*jsonschema.Schema) []*jsonschema.Schema {
	list := []*jsonschema.Schema{s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else, s.PropertyNames}
	list = append(list, s.AllOf...)
	list = append(list, s.AnyOf...)
	list = append(list, s.OneOf...)
	for _, d := range s.DependentSchemas {
		list = append(list, d)
	}
	for _, d := range s.Dependencies {
		if d, ok := d.(*jsonschema.Schema); ok {
			list = append(list, d)
		}
	}
	if s.DynamicRef != nil {
		list = append(list, s.DynamicRef.Ref)
		list = append(list, anchors[s.DynamicRef.Anchor]...)
	}
	set := list[:0]
	for _, next := range list {
		if next != nil {
			set = append(set, next)
		}
	}
	return set
}
