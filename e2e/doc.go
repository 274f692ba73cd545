// Package e2e tests the programs as their users run them: as processes, on
// loopback, with the nats CLI and files on disk.
//
//	ingest_test.go      => segue ingest: everything in one process
//	nats_test.go        => segue up, looked into and spoken to with the nats CLI
//	processes_test.go   => every program a process of its own, killed in turn;
//	                       documents_test.go is its oracle, judge_test.go its judge
//	greet_test.go       => examples/greet: a participant in shell
//	stop_test.go        => stops, kills, locks and whatever else is in the way
//	operations_test.go  => /healthz, /readyz, /metrics
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
//	SEGUE_RUNS, SEGUE_KILLS   size of the kill test (200 runs, 8 kills)
//	SEGUE_SEED                its seed (random, and printed)
package e2e
