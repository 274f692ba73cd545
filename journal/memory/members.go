package memory

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"segue/journal"
)

// beatInterval is how often a member gives a sign of life, if it has something to say.
const beatInterval = journal.MemberTTL / 3

// member is one that announced itself and is told of the others.
type member struct {
	client *Client
	id     string
	say    func() []byte
	said   []byte                // as far as the broker has heard
	alive  chan []journal.Member // of size 1: the latest list
	left   bool                  // alive is closed
	forget func() bool           // forgets the context
}

// Members implements [journal.Journal]. A list that was not received is replaced
// by the next one.
func (c *Client) Members(ctx context.Context, id string, say func() []byte) (<-chan []journal.Member, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("join as member %s: %w", id, err)
	}
	j := c.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if c.dead {
		return nil, errClosed("join as member " + id)
	}
	m := &member{client: c, id: id, say: say, alive: make(chan []journal.Member, 1)}
	m.forget = context.AfterFunc(ctx, m.leave)
	c.members = append(c.members, m)
	key := m.chance()
	var said []byte
	if say != nil {
		said = say()
		m.beat()
	}
	j.afterUp(j.travel(toArrive, key), key, func() {
		if m.left {
			return
		}
		j.members[id], m.said = m, said // a new one takes the place of an old one with its id
		j.trace("joined", id, 0)
		j.tellMembers()
	})
	return m.alive, nil
}

func (m *member) chance() uint64 { return mix(digest(m.id)) ^ m.client.id }

// beat asks the member again and again what it says.
func (m *member) beat() {
	j, key := m.client.j, m.chance()
	j.after(beatInterval, key, func() {
		if m.left {
			return
		}
		said := m.say()
		j.afterUp(j.travel(toArrive, key), key, func() {
			if j.members[m.id] == m && !bytes.Equal(said, m.said) {
				m.said = said
				j.tellMembers()
			}
		})
		m.beat()
	})
}

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
	close(m.alive)
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
			case <-m.alive: // it was not received and is out of date
			default:
			}
			m.alive <- j.alive()
		})
	}
}

// alive returns who is alive.
func (j *Journal) alive() (list []journal.Member) {
	for _, id := range slices.Sorted(maps.Keys(j.members)) {
		list = append(list, journal.Member{ID: id, Said: j.members[id].said})
	}
	return list
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
