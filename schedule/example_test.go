package schedule_test

import (
	"fmt"
	"time"

	"segue/events"
	"segue/schedule"
)

// A start at half past two has its run each day, also when summer time leaves that hour
// out.
func ExampleNew() {
	set := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	s, err := schedule.New(events.ScheduleSubject("ingest", "nightly"), events.ScheduleSet{
		Cron: "30 2 * * *", Zone: "Europe/Zurich", Input: []byte(`{"url":"https://example.org/${date}.csv"}`),
	}, set)
	if err != nil {
		fmt.Println(err)
		return
	}
	at := set
	for range 3 {
		at = s.Next(at)
		fmt.Println(at.Format(time.RFC3339), string(s.Start(at).Data))
	}
	// Output:
	// 2026-03-28T01:30:00Z {"url":"https://example.org/2026-03-28.csv"}
	// 2026-03-29T01:00:00Z {"url":"https://example.org/2026-03-29.csv"}
	// 2026-03-30T00:30:00Z {"url":"https://example.org/2026-03-30.csv"}
}
