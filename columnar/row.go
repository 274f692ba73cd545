package columnar

// A row is put together as the Dremel paper says: each value of a column carries
// the repetition level at which it begins something anew, and the definition level
// down to which it is there. Where a field is absent or an array is empty, each
// column under it has one value that says so.

// field appends the value of a field.
func (r *Reader) field(dst []byte, n *node) ([]byte, error) {
	if !n.optional && !n.repeated {
		return r.body(dst, n)
	}
	first, err := n.leaves[0].peek()
	switch {
	case err != nil:
		return dst, err
	case n.repeated:
		return r.array(dst, n, n)
	case first.DefinitionLevel() < n.definition:
		return append(dst, "null"...), n.skip()
	}
	return r.body(dst, n)
}

// body appends the value of a field that is there, or of an item of a repeated one.
func (r *Reader) body(dst []byte, n *node) ([]byte, error) {
	if len(dst)-r.before > r.limits.MaxRow {
		return dst, r.over(n.path, "the row is over the limit of %d bytes", r.limits.MaxRow)
	}
	switch n.kind {
	case list:
		return r.array(dst, n.children[0], n.element())
	case table:
		return r.object(dst, n.children[0])
	case group:
		dst = append(dst, '{')
		for i, child := range n.children {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = r.field(append(dst, child.name...), child); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	return r.leaf(dst, n)
}

func (r *Reader) leaf(dst []byte, n *node) ([]byte, error) {
	v, err := n.leaves[0].pop()
	if err != nil {
		return dst, err
	}
	if v.DefinitionLevel() < n.definition || v.IsNull() {
		if n.write == nil {
			return append(dst, "null"...), nil
		}
		return dst, r.broken(n.path, "a value is missing")
	}
	if n.write == nil {
		return dst, r.broken(n.path, "its type says that it has no values, and it has")
	}
	if dst, err = n.write(dst, v); err != nil {
		return dst, r.broken(n.path, "%s", err)
	}
	if len(dst)-r.before > r.limits.MaxRow {
		return dst, r.over(n.path, "the row is over the limit of %d bytes", r.limits.MaxRow)
	}
	return dst, nil
}

// array appends the items of a repeated field. An item is that field's own body,
// or in a list the value of its child.
func (r *Reader) array(dst []byte, repeated, item *node) ([]byte, error) {
	dst = append(dst, '[')
	err := r.each(repeated, func(first bool) (err error) {
		if !first {
			dst = append(dst, ',')
		}
		if item == repeated {
			dst, err = r.body(dst, item)
		} else {
			dst, err = r.field(dst, item)
		}
		return err
	})
	return append(dst, ']'), err
}

// object appends a map. A key is a string in JSON, whatever it is in the file.
func (r *Reader) object(dst []byte, repeated *node) ([]byte, error) {
	key, value := repeated.children[0], repeated.children[1]
	seen := make(map[string]bool)
	dst = append(dst, '{')
	err := r.each(repeated, func(first bool) (err error) {
		if !first {
			dst = append(dst, ',')
		}
		start := len(dst)
		if dst, err = r.field(dst, key); err != nil {
			return err
		}
		if dst[start] != '"' {
			text := string(dst[start:])
			dst = append(append(append(dst[:start], '"'), text...), '"')
		}
		name := string(dst[start:])
		if seen[name] {
			return r.broken(key.path, "a map has the key %s twice", clip(name))
		}
		seen[name] = true
		dst, err = r.field(append(dst, ':'), value)
		return err
	})
	return append(dst, '}'), err
}

// each calls do for each item of a repeated field.
func (r *Reader) each(n *node, do func(first bool) error) error {
	v, err := n.leaves[0].peek()
	if err != nil {
		return err
	}
	if v.DefinitionLevel() < n.definition {
		return n.skip()
	}
	for first := true; ; first = false {
		if err := do(first); err != nil {
			return err
		}
		again, err := n.leaves[0].again(n.repetition)
		if err != nil || !again {
			return err
		}
	}
}

// skip takes the value that says that nothing is there from each column.
func (n *node) skip() error {
	for _, column := range n.leaves {
		if _, err := column.pop(); err != nil {
			return err
		}
	}
	return nil
}
