// Package events is the contract of Segue on the wire: which subjects exist,
// which CloudEvents travel on them and how an event becomes a NATS message.
//
// A participant in any language needs nothing but this page.
//
//	subject                                              => event types
//	saga.start.<definition>                              => any type; TypeRunRequested when Segue sends it
//	saga.run.<pp>.<run>.started                          => TypeRunStarted
//	saga.run.<pp>.<run>.command.<service>.<step>.<n>     => TypeStepRequested, TypeStepWithheld, TypeStepSkipped
//	saga.run.<pp>.<run>.command.<service>.<step>.u<n>    => TypeUndoRequested
//	saga.run.<pp>.<run>.outcome.<service>.<step>.<n>     => TypeStepCompleted, TypeStepFailed, TypeStepTimedOut
//	saga.run.<pp>.<run>.outcome.<service>.<step>.u<n>    => TypeUndoCompleted, TypeUndoFailed, TypeUndoTimedOut
//	saga.run.<pp>.<run>.signal.<name>                    => TypeCancel, TypeRetry, TypeDeadline
//	saga.run.<pp>.<run>.ended                            => TypeRunCompleted, TypeRunCompensated
//	saga.rejected.<definition>.<id>                      => TypeStartRejected
//	saga.history.<definition>.<status>.<run>             => TypeRunArchived
//	saga.definition.<definition>                         => TypeDefinitionApplied
//	saga.schedule.<definition>.<name>                    => TypeScheduleSet, TypeScheduleRemoved
//
// Every subject below saga.run, saga.rejected and saga.history is written at most
// once; the broker refuses the second message. Of the definitions applied under
// one name the last one counts, and so it does of the messages of a schedule.
//
// # Events
//
// An [Event] is a CloudEvent 1.0. [Encode] writes it in binary mode (each
// attribute a header "ce-<name>", percent-encoded, the data as payload),
// [EncodeStructured] as one JSON object; [Decode] reads both. The rules are those
// of the NATS protocol binding of the CloudEvents specification, text 1.0.3.
// [DecodeStart] also reads bare JSON.
//
// Types carry a version. A field may be added to the data of a version; it is
// never removed, renamed or given another meaning, so that a reader of v1
// reads every v1 ever written. Readers ignore fields they do not know.
//
// The data is JSON. [Schema] has the JSON Schema of each type, and
// testdata/golden a message of each, byte for byte, in both modes. No event
// carries a dataschema, since its type names the schema.
//
// All functions may be called concurrently.
package events
