package jetstream

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// mendStreams is what puts streams right that have been changed.
const mendStreams = "start an orchestrator, or segue up, again: it declares the streams as they ought to be"

// streams looks at every stream that Segue declares.
func (x *examiner) streams(ctx context.Context) {
	x.result.Ready = true
	for _, wanted := range streams(Options{}.withDefaults()) {
		before := x.Now()
		var s jetstream.Stream
		err := x.ask(ctx, func(ctx context.Context) (err error) {
			s, err = x.js.Stream(ctx, wanted.Name)
			return err
		})
		subject := "stream " + wanted.Name
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			x.result.Ready = false
			x.add(Alarm, subject, "start an orchestrator, or segue up: it declares the streams", "it is missing")
			continue
		case err != nil:
			x.result.Ready = x.result.Ready && errors.Is(err, errDeniedHere)
			x.unseen(subject, err)
			continue
		}
		info := s.CachedInfo()
		x.seen[wanted.Name] = info
		bad := len(x.result.Findings)
		x.settings(subject, info.Config, wanted)
		if x.nc.ConnectedClusterName() != "" && info.Cluster != nil {
			x.copies(subject, info)
		}
		x.room(subject, info)
		if len(x.result.Findings) == bad {
			x.add(Fine, subject, "", "as declared, %s", used(info))
		}
		if wanted.Name == RunsStream {
			x.clock(before, info.TimeStamp, x.Now())
		}
	}
}

func used(info *jetstream.StreamInfo) string {
	if info.Config.MaxBytes > 0 {
		return fmt.Sprintf("%d messages, %s of %s", info.State.Msgs, size(info.State.Bytes), size(uint64(info.Config.MaxBytes)))
	}
	return fmt.Sprintf("%d messages, %s", info.State.Msgs, size(info.State.Bytes))
}

// settings compares a stream with its declaration.
func (x *examiner) settings(subject string, have, wanted jetstream.StreamConfig) {
	if wanted.DiscardNewPerSubject {
		if broken := twice(have, wanted); len(broken) > 0 {
			x.add(Alarm, subject, mendStreams+"; what was stored meanwhile may contradict itself: look at the runs of that time",
				"a subject can be written twice, or what was written can vanish: %s", strings.Join(broken, ", "))
		}
	}
	merged := mergeStream(have, wanted)
	var changed, sized []string
	theirs, ours := reflect.ValueOf(have), reflect.ValueOf(merged)
	for i := range theirs.NumField() {
		name, is, ought := theirs.Type().Field(i).Name, theirs.Field(i).Interface(), ours.Field(i).Interface()
		switch {
		case reflect.DeepEqual(is, ought), name == "Description", name == "Metadata":
		case name == "MaxBytes" || name == "MaxAge" || name == "Duplicates":
			sized = append(sized, fmt.Sprintf("%s is %v, usually %v", name, is, ought))
		default:
			changed = append(changed, fmt.Sprintf("%s is %v, declared as %v", name, is, ought))
		}
	}
	if len(changed) > 0 {
		x.add(Warning, subject, mendStreams, "it is not as declared: %s", strings.Join(changed, ", "))
	}
	if len(sized) > 0 {
		x.add(Note, subject, "", "it is smaller than usual: %s", strings.Join(sized, ", "))
	}
	if have.MaxMsgs > 0 {
		x.add(Warning, subject, "nats stream edit "+have.Name+" --max-msgs=-1 --force", "it holds %d messages at most: Segue reckons in bytes", have.MaxMsgs)
	}
	if wanted.Name == RunsStream {
		if _, err := partitionsOf(have); err != nil {
			x.result.Ready = false
			x.add(Alarm, subject, "put the number back that it was created with", "%v", err)
		}
	}
}

// twice lists what in the settings of a stream breaks the promise that each
// subject is written once and stays.
func twice(have, wanted jetstream.StreamConfig) (broken []string) {
	for _, b := range []struct {
		is   bool
		what string
	}{
		{have.MaxMsgsPerSubject != 1, fmt.Sprintf("MaxMsgsPerSubject is %d", have.MaxMsgsPerSubject)},
		{have.Discard != jetstream.DiscardNew, "Discard is old"},
		{!have.DiscardNewPerSubject, "DiscardNewPerSubject is off"},
		{have.AllowRollup, "AllowRollup is on"},
		{have.AllowMsgTTL, "AllowMsgTTL is on"},
		{have.MaxAge > 0, fmt.Sprintf("MaxAge is %v", have.MaxAge)},
		{wanted.DenyDelete && !have.DenyDelete, "DenyDelete is off"},
	} {
		if b.is {
			broken = append(broken, b.what)
		}
	}
	return broken
}

// copies looks how many copies there are in a cluster, and how they are.
func (x *examiner) copies(subject string, info *jetstream.StreamInfo) {
	name := info.Config.Name
	if info.Config.Replicas < 3 {
		x.add(Warning, subject, "start the orchestrators with --replicas 3, or: nats stream edit "+name+" --replicas 3 --force",
			"%d of the cluster's servers keeps it: with that server's disk it is gone", info.Config.Replicas)
	}
	if info.Cluster.Leader == "" {
		x.add(Alarm, subject, "bring back enough servers of the cluster: more than half of "+fmt.Sprint(info.Config.Replicas), "it has no leader: nothing can be stored")
	}
	for _, r := range info.Cluster.Replicas {
		switch {
		case r.Offline:
			x.add(Warning, subject, "bring the server back", "the copy on server %s is offline", r.Name)
		case !r.Current && r.Lag > 0:
			x.add(Note, subject, "", "the copy on server %s is %d operations behind", r.Name, r.Lag)
		}
	}
}

// room looks how full a stream is.
func (x *examiner) room(subject string, info *jetstream.StreamInfo) {
	if info.Config.MaxBytes <= 0 {
		return
	}
	s := fullness(info.State.Bytes, uint64(info.Config.MaxBytes))
	if !s.Bad() {
		return
	}
	if info.Config.Discard == jetstream.DiscardOld && info.Config.Name != RunsStream && info.Config.Name != RejectedStream {
		x.add(Note, subject, "", "it is full, so that the oldest messages make room: %s", used(info))
		return
	}
	do := "raise its limit: nats stream edit " + info.Config.Name + " --max-bytes SIZE --force"
	if info.Config.Name == RunsStream {
		do += "; or let ended runs leave earlier: --keep-age, --keep-runs of the orchestrator"
	}
	x.add(s, subject, do, "it is nearly full, and then refuses what is new: %s", used(info))
}

// clock compares the broker's clock with ours. The stream's information was made
// at some instant between two readings of ours.
func (x *examiner) clock(before, broker, after time.Time) {
	off := time.Duration(0)
	switch {
	case broker.IsZero():
		return
	case broker.Before(before):
		off = broker.Sub(before)
	case broker.After(after):
		off = broker.Sub(after)
	}
	if off.Abs() <= maxSkew {
		x.add(Fine, "clock", "", "that of the broker and the local one agree within %v", maxSkew)
		return
	}
	word := "ahead of"
	if off < 0 {
		word = "behind"
	}
	x.add(Warning, "clock", "let both follow the same time servers; runs go by the broker's clock alone, so none is harmed",
		"that of the broker is %v %s the local one", off.Abs().Round(time.Millisecond), word)
}
