package world

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"segue/events"
	"segue/participant"
	"segue/saga"
	"segue/sagas"
	"segue/services/fetcher/fetch"
	"segue/services/parser/parse"
	"segue/services/saver/save"
	"segue/services/validator/validate"
)

// ingest is the play of the saga ingest: the shipped definition and the four
// services as they are, between origins, a document store and a database that
// are all simulated.
type ingest struct {
	w         *world
	origin    *origin
	documents *shelves
	database  *database
}

// ingestSagas is the shipped definition, loaded once.
var ingestSagas = sync.OnceValue(func() []*saga.Definition {
	d, err := sagas.Ingest()
	if err != nil {
		panic("sim: " + err.Error()) // unreachable: it is part of the program
	}
	return []*saga.Definition{d}
})

func newIngest(ctx context.Context, w *world) (*ingest, error) {
	p := &ingest{w: w, origin: newOrigin(w), documents: newShelves(w)}
	var err error
	p.database, err = newDatabase(ctx, w)
	return p, err
}

func (p *ingest) sagas() []*saga.Definition { return ingestSagas() }

func (p *ingest) order(number int) (name, fits, unfit string) {
	e := p.numbered(number)
	p.origin.errands[e.path()] = e
	force := p.forced(number)
	return ingestSagas()[0].Name, e.input("http", force), e.input("gopher", force)
}

func (p *ingest) serve(ctx context.Context, l *life) ([]participant.Service, func(), error) {
	db, err := p.database.open(ctx, l, save.Name)
	if err != nil {
		return nil, nil, err
	}
	// Connections of its own: handlers that had to wait for one would be served in an
	// order that database/sql leaves to real dice.
	looks, err := p.database.open(ctx, l, save.CatalogName)
	if err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	leave := func() { _ = errors.Join(db.Close(), looks.Close()) } // in memory: there is nothing that could be lost
	docs := shelf{p.documents, l}
	services := []participant.Service{save.NewCatalog(looks)}
	for _, make := range []func() (participant.Service, error){
		func() (participant.Service, error) { return fetch.New(fetch.Config{Dial: p.origin.dial(l)}, docs) },
		func() (participant.Service, error) { return validate.New(validate.Config{}, docs) },
		func() (participant.Service, error) { return parse.New(parse.Config{}, docs) },
		func() (participant.Service, error) { return save.New(save.Config{}, db, docs) },
	} {
		s, err := make()
		if err != nil {
			leave()
			return nil, nil, err
		}
		services = append(services, s)
	}
	return services, leave, nil
}

func (p *ingest) idle() bool { return p.origin.idle() && p.documents.idle() && p.database.idle() }

func (p *ingest) close() { _ = p.database.look.Close() }

// forced says that a start wants all done, whatever is saved.
func (p *ingest) forced(number int) bool {
	return p.w.dice.chance(0.1, "forced", strconv.Itoa(number))
}

// errand returns what a run was asked to do.
func (p *ingest) errand(s *story) errand { return p.numbered(p.w.caller.runs[s.id].number) }

func (p *ingest) numbered(number int) errand {
	again := 0.2
	if p.w.options.Again {
		again = 0.8
	}
	return p.w.dice.errand(number, again)
}

// verify checks a run against the outside world: what it says that it fetched
// was sent like that, a good document does not fail for what it is and a bad one
// does not complete, and nothing is left of a run that was undone.
func (p *ingest) verify(c *checker, s *story) {
	e := p.errand(s)
	fetched, known := p.fetched(c, s)
	p.failures(c, s, fetched)
	if s.failed(save.CodeNotSaved) {
		p.w.count("not saved any more")
	}
	switch {
	case s.ended.Event.Type != events.TypeRunCompleted:
	case !known:
		c.wrong("run %s completed with a document that was never sent", s.id)
	case fetched.flaw != "":
		c.wrong("run %s completed with a document that has a flaw: %s", s.id, fetched.flaw)
	default:
		var out struct {
			Output save.Output `json:"output"`
		}
		if err := events.ReadData(s.ended.Event, &out); err != nil || out.Output.Total != int64(len(fetched.rows)) || out.Output.Collection != e.saved() {
			c.wrong("run %s answers %s for %d records in %s (%v)", s.id, s.ended.Event.Data, len(fetched.rows), e.saved(), err)
		}
	}
	if p.w.options.Calm && s.ended.Event.Type == events.TypeRunCompensated && known && fetched.flaw == "" && !s.signalled(events.TypeCancel) && !s.failed(save.CodeNotSaved) {
		c.wrong("run %s was undone in a calm world, and its document is good", s.id)
	}
	p.leftovers(c, s)
}

// fetched returns the document that a run went on with, if it is known to be one.
func (p *ingest) fetched(c *checker, s *story) (text, bool) {
	if s.definition == nil {
		return text{}, false // its start is not in the journal, which has been told
	}
	digest := p.digest(s)
	if digest == "" {
		return text{}, false
	}
	t, sent := p.origin.sent[p.errand(s).path()][digest]
	if !sent {
		c.wrong("run %s fetched a document that was never sent whole: %s", s.id, digest)
	}
	return t, sent
}

// digest returns that of the document that a run has fetched, or found unchanged;
// empty if it has not.
func (p *ingest) digest(s *story) string {
	out, done := fetchOutput(s)
	switch {
	case !done:
		return ""
	case out.Unchanged:
		return out.Known.SHA256
	}
	return out.Document.SHA256
}

func fetchOutput(s *story) (out fetch.Output, done bool) {
	e := s.success(s.definition.Step("fetch"), false)
	return out, e.Sequence > 0 && events.ReadData(e.Event, &out) == nil
}

// refusals: the codes with which services refuse what a document is.
var refusals = []string{
	validate.CodeNotWellFormed, validate.CodeSchemaViolated, validate.CodeNoRecordsThere, validate.CodeUnknownFormat, validate.CodeLimit,
	save.CodeBadRecord, save.CodeBadKey, save.CodeDuplicateKey, save.CodeTooLarge,
	participant.CodeBadInput, // what is read as another format takes no such input
}

// losses: the codes with which services say that a document they need is gone.
// Nothing takes one away before its run is undone.
var losses = []string{
	parse.CodeDocumentGone, validate.CodeNotFound, save.CodeNoRecords, save.CodeUndone, save.CodePruned,
	participant.CodeBadOutput, participant.CodeNoUndo, participant.CodePanic,
}

// changes: the codes with which they say that it is another one. Nothing replaces
// one either: a fetch that is done twice, of an origin that has another document the
// second time, leaves the first where it is.
var changes = []string{parse.CodeDocumentChanged, validate.CodeChanged}

func (p *ingest) failures(c *checker, s *story, fetched text) {
	for at, outcome := range s.outcomes {
		var f events.Failed
		if succeeded(outcome) || events.ReadData(outcome.Event, &f) != nil {
			continue
		}
		fetch := at.step == "fetch"
		switch {
		case contains(refusals, f.Code) && fetched.flaw == "" && !fetch,
			contains(losses, f.Code) && !fetch,
			contains(changes, f.Code) && !fetch:
			c.wrong("%s failed for no reason: %s: %s", outcome.Subject, f.Code, f.Message)
		}
	}
}

func contains(codes []string, code string) bool {
	for _, c := range codes {
		if c == code {
			return true
		}
	}
	return false
}

// leftovers accounts for the documents that a run has left in the store: none of
// a compensated run, unless it was put there after the undo had begun; and of a
// completed one those that it speaks of.
func (p *ingest) leftovers(c *checker, s *story) {
	left := make(map[string]bool)
	for _, name := range p.documents.Names() {
		run, rest, _ := strings.Cut(name, "/")
		if run != s.id {
			continue
		}
		left[rest] = true
		step, word, _ := strings.Cut(rest, "/")
		n, err := strconv.Atoi(word)
		command := s.commands[place{step, events.Attempt{N: n}}]
		undo := s.undone(s.definition.Step(step))
		switch {
		case err != nil || command.Sequence == 0 || !asks(command):
			c.wrong("document %s is of an attempt that was never made", name)
		case undo.Sequence > 0 && p.documents.putAt(name).Before(s.commands[place{step, undo.Subject.Attempt}].Stored):
			c.wrong("document %s was left behind by an undo", name)
		}
	}
	out, _ := fetchOutput(s)
	for _, step := range []string{"fetch", "parse"} {
		done := s.success(s.definition.Step(step), false)
		if out.Unchanged {
			continue // no document was stored, or taken apart
		}
		if s.ended.Event.Type == events.TypeRunCompleted && done.Sequence > 0 && !left[step+"/"+strconv.Itoa(done.Subject.Attempt.N)] {
			c.wrong("run %s completed and the document of %s is gone", s.id, step)
		}
	}
}

// failed says that a step of a run failed with a code.
func (s *story) failed(code string) bool {
	for _, e := range s.outcomes {
		var f events.Failed
		if e.Event.Type == events.TypeStepFailed && events.ReadData(e.Event, &f) == nil && f.Code == code {
			return true
		}
	}
	return false
}

// signalled says that a run was given a signal of a type.
func (s *story) signalled(eventType string) bool {
	for _, e := range s.entries {
		if e.Event.Type == eventType {
			return true
		}
	}
	return false
}
