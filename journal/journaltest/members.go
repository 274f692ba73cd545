package journaltest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"segue/journal"
)

var memberTests = []test{
	{"a member sees itself", memberSeesItself},
	{"members see each other come and go", membersComeAndGo},
	{"a member stays while it lives", memberStays},
	{"a killed member is dropped", killedMemberIsDropped},
	{"members hear what each other say", membersHear},
}

// dropSlack is the "little" beyond [journal.MemberTTL] after which a silent
// member must be gone, so that its work is taken over within 5 s.
const dropSlack = 2 * time.Second

// join announces a member and returns its channel and how it leaves.
func (b *bench) join(j journal.Journal, id string) (<-chan []journal.Member, context.CancelFunc) {
	b.Helper()
	ctx, leave := context.WithCancel(b.ctx)
	members, err := j.Members(ctx, id, nil)
	b.must(err, "join as "+id)
	return members, leave
}

func idsOf(members []journal.Member) (ids []string) {
	for _, m := range members {
		ids = append(ids, m.ID)
	}
	return ids
}

// wantMembers reads a channel until it tells of the wanted members, and returns
// how long that took.
func (b *bench) wantMembers(members <-chan []journal.Member, want ...string) time.Duration {
	b.Helper()
	return b.awaitMembers(members, fmt.Sprint(want), func(alive []journal.Member) string { return fmt.Sprint(idsOf(alive)) })
}

// wantSaid does the same, with what each says: [{id word} ...].
func (b *bench) wantSaid(members <-chan []journal.Member, want string) {
	b.Helper()
	b.awaitMembers(members, want, func(alive []journal.Member) string { return fmt.Sprintf("%s", alive) })
}

// awaitMembers reads a channel until the members it tells of look as wanted.
func (b *bench) awaitMembers(members <-chan []journal.Member, want string, look func([]journal.Member) string) time.Duration {
	b.Helper()
	began := time.Now()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	var last string
	for {
		select {
		case alive, ok := <-members:
			if !ok {
				b.Fatalf("the channel was closed; the last members were %s, want %s", last, want)
			}
			if ids := idsOf(alive); !slices.IsSorted(ids) {
				b.Errorf("members %v are not sorted", ids)
			}
			if last = look(alive); last == want {
				return time.Since(began)
			}
		case <-timeout.C:
			b.Fatalf("the last members told of were %s, want %s", last, want)
		}
	}
}

// wantLeft waits for the end of a channel.
func (b *bench) wantLeft(members <-chan []journal.Member) {
	b.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case _, ok := <-members:
			if !ok {
				return
			}
		case <-timeout.C:
			b.Fatal("the channel of a member that left stays open")
		}
	}
}

func memberSeesItself(b *bench) {
	members, leave := b.join(b.j, "a")
	select {
	case alive := <-members:
		if ids := idsOf(alive); !slices.Contains(ids, "a") {
			b.Errorf("the first members are %v, without the member itself", ids)
		}
	case <-time.After(patience):
		b.Fatal("a member was told of nobody")
	}
	leave()
	b.wantLeft(members)
}

func membersComeAndGo(b *bench) {
	first, leaveFirst := b.join(b.j, "m")
	b.wantMembers(first, "m")
	second, leaveSecond := b.join(b.j, "a")
	b.wantMembers(second, "a", "m")
	b.wantMembers(first, "a", "m")
	third, leaveThird := b.join(b.j, "z")
	defer leaveThird()
	b.wantMembers(third, "a", "m", "z")
	b.wantMembers(first, "a", "m", "z")
	leaveSecond()
	b.wantLeft(second)
	if took := b.wantMembers(third, "m", "z"); took > journal.MemberTTL/2 {
		b.Errorf("a member that left was dropped after %v, want at once", took)
	}
	leaveFirst()
	b.wantLeft(first)
	b.wantMembers(third, "z")
}

func memberStays(b *bench) {
	if b.f.Within == nil && testing.Short() {
		b.Skipf("that a member stays is not tested with -short: it takes longer than %v", journal.MemberTTL)
	}
	members, _ := b.join(b.j, "a")
	b.wantMembers(members, "a")
	after := time.NewTimer(journal.MemberTTL + journal.MemberTTL/2)
	defer after.Stop()
	for {
		select {
		case alive := <-members:
			if ids := idsOf(alive); !slices.Contains(ids, "a") {
				b.Fatalf("a living member was dropped: %v", ids)
			}
		case <-after.C:
			return
		}
	}
}

func killedMemberIsDropped(b *bench) {
	if b.f.Peer == nil || b.f.Kill == nil {
		b.Skip("a killed member is not tested: the factory has no Peer or no Kill")
	}
	members, _ := b.join(b.j, "a")
	peer := b.f.Peer(b.T, b.j)
	b.join(peer, "b")
	b.wantMembers(members, "a", "b")
	b.f.Kill(b.T, peer)
	if took := b.wantMembers(members, "a"); took > journal.MemberTTL+dropSlack {
		b.Errorf("a killed member was dropped after %v, want %v and a little", took, journal.MemberTTL)
	}
}

// What a member says is asked of it again and again, and reaches those that come later, too.
func membersHear(b *bench) {
	first, _ := b.join(b.j, "a")
	var words atomic.Value
	words.Store("one")
	speaker, leave := context.WithCancel(b.ctx)
	own, err := b.j.Members(speaker, "b", func() []byte { return []byte(words.Load().(string)) })
	b.must(err, "join as b")
	b.wantSaid(first, "[{a } {b one}]")
	words.Store("two")
	b.wantSaid(first, "[{a } {b two}]")
	late, _ := b.join(b.j, "c")
	b.wantSaid(late, "[{a } {b two} {c }]")
	b.wantSaid(own, "[{a } {b two} {c }]")
	leave()
	b.wantLeft(own)
	b.wantMembers(late, "a", "c")
}
