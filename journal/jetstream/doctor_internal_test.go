package jetstream

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TestCopies looks at the copies of a stream in clusters of several kinds.
func TestCopies(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		copies  int
		cluster jetstream.ClusterInfo
		want    string // in the only finding; empty: none
	}{
		"well":          {3, jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{{Name: "b", Current: true}, {Name: "c", Current: true}}}, ""},
		"one copy":      {1, jetstream.ClusterInfo{Leader: "a"}, "warning: 1 of the cluster's servers keeps it"},
		"no leader":     {3, jetstream.ClusterInfo{}, "alarm: it has no leader"},
		"a server away": {3, jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{{Name: "b", Offline: true}, {Name: "c", Current: true}}}, "warning: the copy on server b is offline"},
		"one behind":    {3, jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{{Name: "b", Lag: 7}, {Name: "c", Current: true}}}, "note: the copy on server b is 7 operations behind"},
	} {
		x := &examiner{}
		x.copies("stream S", &jetstream.StreamInfo{Config: jetstream.StreamConfig{Name: "S", Replicas: test.copies}, Cluster: &test.cluster})
		var got []string
		for _, f := range x.result.Findings {
			got = append(got, string(f.Severity)+": "+f.What)
		}
		if text := strings.Join(got, "; "); !strings.HasPrefix(text, test.want) || (test.want == "") != (text == "") || len(got) > 1 {
			t.Errorf("%s: found %q, want %q", name, text, test.want)
		}
	}
}

// TestFullness is the border between well and not.
func TestFullness(t *testing.T) {
	t.Parallel()
	for used, want := range map[uint64]Severity{0: Fine, 799: Fine, 800: Warning, 949: Warning, 950: Alarm, 2000: Alarm} {
		if got := fullness(used, 1000); got != want {
			t.Errorf("%d of 1000: %s, want %s", used, got, want)
		}
	}
}
