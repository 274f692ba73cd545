// Package schedule says when runs start by the clock. It has no clock itself, no
// goroutine and no I/O: times come in, times come out.
//
//	saga.schedule.<definition>.<name>  => a [Schedule]
//	a Schedule and a time              => the start event of that time's run
//
// The run of a time has the id of the schedule and the time, so that whoever starts it,
// and however often, there is one. So every orchestrator keeps all schedules, and
// nothing is written down of what was started.
//
// # Times
//
//	at     => once
//	every  => at the multiples of a duration since 1970-01-01T00:00:00Z, so that 15m is
//	          at 0, 15, 30 and 45 minutes past
//	cron   => minute, hour, day of month, month, day of week, in the time of a zone
//
// The fields of cron are as in crontab(5): numbers, ranges, lists, steps (*/15) and names
// (MON, JAN). Where day of month and day of week are both restricted, and neither begins
// with a star, one of the two has to fit. L is the last day of the month. What stands on
// the clock in a zone comes once: in the hour that comes twice when summer ends it is the first that
// counts, and what lies in the hour that is left out when summer begins comes at its end.
//
// A schedule begins when it is set: earlier times are not looked at. If nobody was there
// at a time, the start is made up for if it is not later than CatchUp; of several times
// that were missed only the last.
package schedule
