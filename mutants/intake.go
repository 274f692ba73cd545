package main

// intake are bugs in how starts become runs.
var intake = []Mutant{
	{
		Name:  "intake/ack-first",
		Bug:   "A start is acked before its run is stored.",
		Bit:   "Consumers with auto-ack (RabbitMQ) or auto-commit (Kafka): what was taken up when they died is lost.",
		File:  "saga/engine/intake.go",
		Old:   "result := startAccepted",
		New:   "result := startAccepted\n\t_ = d.DoubleAck(ctx)",
		Tests: []Test{{"./saga/engine", "TestFullJournal|TestStartComesAgain"}},
	},
	{
		Name:  "intake/same-start-second-run",
		Bug:   "A start that comes again when its run has left the journal makes a second run.",
		Bit:   "Every window for duplicates that is shorter than the caller's patience.",
		File:  "saga/engine/intake.go",
		Old:   "); kept {",
		New:   "); kept && false {",
		Tests: []Test{{"./saga/engine", "TestSameStartAfterItsRunHasLeft"}},
	},
	{
		Name:  "intake/slow-start-stored",
		Bug:   "A start that could not be stored for long is stored all the same, when its run may have ended and left.",
		File:  "saga/engine/intake.go",
		Old:   "context.WithTimeout(ctx, journal.LongSilence)",
		New:   "context.WithTimeout(ctx, 1000*journal.LongSilence)",
		Tests: []Test{{"./saga/engine", "TestSlowStart|TestSameStart"}},
	},
	{
		Name:  "intake/no-back-pressure",
		Bug:   "Starts are taken up however many runs go on.",
		File:  "saga/engine/intake.go",
		Old:   "e.reserved.Add(1) <= int64(e.MaxRunning) {",
		New:   "e.reserved.Add(1) > 0 {",
		Tests: []Test{{"./saga/engine", "TestMaxRunning"}},
	},
	{
		Name:  "intake/limit-looked-at-once",
		Bug:   "The limit is looked at by all that take up starts at a time, and each finds room.",
		Bit:   "Every check that is not one step with what it allows.",
		File:  "saga/engine/intake.go",
		Old:   "e.reserved.Add(1) <= int64(e.MaxRunning) {",
		New:   "min(0, e.reserved.Add(1)) < int64(e.MaxRunning) {",
		Tests: []Test{{"./saga/engine", "TestRoomIsTakenOnce"}},
	},
	{
		Name:  "intake/rejected-unseen",
		Bug:   "A start that can never become a run is dropped without a word.",
		File:  "saga/engine/intake.go",
		Old:   "entry, err = e.reject(ctx, r, d.Message())",
		New:   "result, err = startRepeated, nil",
		Tests: []Test{{"./saga/engine", "TestRejections"}},
	},
}
