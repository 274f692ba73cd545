package world

import (
	"cmp"
	"database/sql/driver"
	"io"
	"time"

	"segue/journal"
	"segue/journal/memory"
)

// Defaults of [Options].
const (
	DefaultRuns       = 24
	DefaultEngines    = 3
	DefaultWorkers    = 2
	DefaultChaos      = 90 * time.Second
	DefaultKills      = 8
	DefaultCrashes    = 1
	DefaultPartitions = 4
	DefaultPatience   = 6 * time.Hour
	DefaultCancel     = 0.15
)

// Options says what world is simulated. The zero value is one in which
// everything goes wrong that can.
type Options struct {
	// Runs is how many starts are published, doubles not counted; about one in
	// eight is bad. Defaults to 24.
	Runs int
	// Engines and Workers are how many processes there are. Default to 3 and 2.
	Engines int
	Workers int
	// Chaos is the time from the beginning in which starts are published and
	// processes die. Messages are lost for as long as the world exists. Defaults to 90 s.
	Chaos time.Duration
	// Partitions is the partition count of the journal. Defaults to 4.
	Partitions int
	// Kills is how many processes are killed or stopped at planned moments, and
	// Crashes how often the broker crashes. Default to 8 and 1; -1 is none.
	Kills   int
	Crashes int
	// Patience is the virtual time after which a run that has not ended counts as
	// one that never will. Defaults to 6 h.
	Patience time.Duration
	// Cancel is the part of the runs that the operator cancels, within 20 s of their
	// beginning. Defaults to 0.15.
	Cancel float64
	// Calm takes away all faults of processes and messages; handlers and operators
	// remain as they are.
	Calm bool
	// Ingest plays the saga ingest with the services that come with Segue, from
	// origins that misbehave into an SQLite database, in place of scripted handlers.
	Ingest bool
	// Fickle makes scripted handlers decide anew each time they are called, even if it is
	// for the same attempt, as the outside world does.
	Fickle bool
	// Leave makes runs leave the journal a minute after their end, and has some of
	// their starts come again after that. Snapshots are taken every few messages.
	Leave bool
	// Clock has schedules make some of the starts.
	Clock bool
	// Storm makes what is asked of the document store and the database fail, and
	// take long, far more often. For Ingest.
	Storm bool

	// Again makes most starts ask for a document that another has asked for before
	// them. For Ingest.
	Again bool

	sabotage sabotage
}

// sabotage turns protections off, so that tests can show that the checker sees it.
type sabotage struct {
	engine    func(journal.Journal) journal.Journal // what engines use in place of the journal
	worker    func(journal.Journal) journal.Journal // what participants use in place of it
	noBarrier bool                                  // handlers do what they are asked, every time

	put           func(name string, r io.Reader) io.Reader                                 // changes what is put into the document store
	keepDocuments bool                                                                     // documents are not deleted
	exec          func(query string, args []driver.NamedValue) (changed string, skip bool) // changes what is asked of the database
	history       func([]journal.Record) []journal.Record                                  // what the checker reads in place of the journal
}

func (o Options) withDefaults() Options {
	o.Runs = cmp.Or(o.Runs, DefaultRuns)
	o.Engines = cmp.Or(o.Engines, DefaultEngines)
	o.Workers = cmp.Or(o.Workers, DefaultWorkers)
	o.Chaos = cmp.Or(o.Chaos, DefaultChaos)
	o.Kills = cmp.Or(o.Kills, DefaultKills)
	o.Crashes = cmp.Or(o.Crashes, DefaultCrashes)
	o.Partitions = cmp.Or(o.Partitions, DefaultPartitions)
	o.Patience = cmp.Or(o.Patience, DefaultPatience)
	o.Cancel = cmp.Or(o.Cancel, DefaultCancel)
	o.Kills, o.Crashes = max(0, o.Kills), max(0, o.Crashes)
	if o.Calm {
		o.Kills, o.Crashes = 0, 0
	}
	return o
}

// faults are rates at which a run of ten messages meets one or two.
func (o Options) faults() memory.Faults {
	if o.Calm {
		return memory.Faults{}
	}
	return memory.Faults{
		LostAppend: 0.02, LostAck: 0.02, Duplicate: 0.03, Delay: 0.03, MaxDelay: 3 * time.Second, Reorder: 0.1,
	}
}

// crashPoint is the probability that a process dies before an append, and again
// that it dies behind it, while there is chaos.
func (o Options) crashPoint() float64 {
	if o.Calm {
		return 0
	}
	return 0.01
}

// Report is what became of a world.
type Report struct {
	Seed uint64
	// World describes it.
	World string
	// Violations names each rule that was broken, and where. Empty is good.
	Violations []string
	// Trace is what happened, in order, a line each: see [memory.Config], and
	// effects, kills and signals in the same form.
	Trace []string
	// Happened counts what happened by its first word in the trace, and how the
	// runs ended, so that a test can tell whether its faults took place.
	Happened map[string]int
	// Runs is how many runs there were, Messages how many the journal holds of them.
	Runs     int
	Messages int
	// Took is virtual time.
	Took time.Duration
	// Names are those of runs in the story, About what the messages of the journal
	// hold, by subject.
	Names, About map[string]string
}
