package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"segue/journal"
)

// member is one that announced itself and is told of the others.
type member struct {
	client *Client
	id     string
	ids    chan []string // of size 1: the latest list
	left   bool          // ids is closed
	forget func() bool   // forgets the context
}

// Members implements [journal.Journal]. A list that was not received is replaced
// by the next one.
func (c *Client) Members(ctx context.Context, id string) (<-chan []string, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("join as member %s: %w", id, err)
	}
	j := c.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if c.dead {
		return nil, errClosed("join as member " + id)
	}
	m := &member{client: c, id: id, ids: make(chan []string, 1)}
	m.forget = context.AfterFunc(ctx, m.leave)
	c.members = append(c.members, m)
	key := m.chance()
	j.afterUp(j.travel(toArrive, key), key, func() {
		if m.left {
			return
		}
		j.members[id] = m // a new one takes the place of an old one with its id
		j.trace("joined", id, 0)
		j.tellMembers()
	})
	return m.ids, nil
}

func (m *member) chance() uint64 { return mix(digest(m.id)) ^ m.client.id }

// leave says good-bye.
func (m *member) leave() {
	j := m.client.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if !m.end() {
		return
	}
	key := m.chance()
	j.afterUp(j.travel(toArrive, key), key, m.drop)
}

// end closes the channel, once.
func (m *member) end() bool {
	if m.left {
		return false
	}
	m.left = true
	m.forget()
	close(m.ids)
	m.client.members = slices.DeleteFunc(m.client.members, func(other *member) bool { return other == m })
	return true
}

// drop takes the member off the list.
func (m *member) drop() {
	j := m.client.j
	if j.members[m.id] != m {
		return // unless a successor has taken its place
	}
	delete(j.members, m.id)
	j.trace("left", m.id, 0)
	j.tellMembers()
}

// tellMembers sends the list to each member, where it arrives after a while and
// holds who is alive by then.
func (j *Journal) tellMembers() {
	for _, id := range slices.Sorted(maps.Keys(j.members)) {
		m := j.members[id]
		key := m.chance()
		j.afterUp(j.travel(toShow, key), key, func() {
			if m.left {
				return
			}
			select {
			case <-m.ids: // it was not received and is out of date
			default:
			}
			m.ids <- slices.Sorted(maps.Keys(j.members))
		})
	}
}

// expireMembers drops the members of a killed client when their last sign of
// life is [journal.MemberTTL] old. They give one twice in that time.
func (j *Journal) expireMembers(members []*member) {
	const ttl = journal.MemberTTL
	for _, m := range members {
		key := m.chance()
		left := ttl - time.Duration(j.chance.draw(toLast, key, j.instant())%uint64(ttl/2))
		j.afterUp(left, key, m.drop)
	}
}
