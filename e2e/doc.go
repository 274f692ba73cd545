// Package e2e tests the programs as their users run them: as processes, on
// loopback, with the nats CLI and files on disk.
//
//	ingest_test.go      => segue ingest: everything in one process
//	nats_test.go        => segue up, looked into and spoken to with the nats CLI
//	greet_test.go       => examples/greet: a participant in shell
//	stop_test.go        => stops, kills, locks and whatever else is in the way
//	operations_test.go  => /healthz, /readyz, /metrics of every program
//	readme_test.go      => the commands in README.md
//
// The programs are built once. Tests wait for conditions, never for time to
// pass; each condition has a deadline, and a test that misses one shows what the
// programs logged.
//
// Environment:
//
//	SEGUE_REQUIRE_NATS_CLI=1  fail where the nats CLI is missing; otherwise skip
//	SEGUE_RACE=1              build the programs with the race detector
//
// What kills, cuts and fills does to them is the work of ../faults.
package e2e
