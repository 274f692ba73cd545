package schedule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"segue/events"
)

// Start returns the event that starts the run of a time, as the schedule has it.
func (s *Schedule) Start(at time.Time) events.Event {
	return events.Event{
		ID: stamp(at), Source: events.ScheduleSource(s.subject), Type: events.TypeRunRequested, Time: at.UTC(),
		CorrelationID: Correlation(s.subject), DataContentType: events.JSON, Data: s.input.at(at, s.zone),
	}
}

// Run returns the id of the run of a time.
func (s *Schedule) Run(at time.Time) string {
	return events.RunID(events.ScheduleSource(s.subject), stamp(at))
}

// Correlation returns the correlation id of all runs of a schedule.
func Correlation(subject events.Subject) string {
	return "schedule/" + subject.Definition + "/" + subject.Schedule
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// input is that of the runs, as JSON. These stand in it for the time of the start:
//
//	${time}  => 2026-03-29T01:30:00Z
//	${date}  => 2026-03-29, in the zone of the schedule
//	$${      => ${
type input []byte

func readInput(data json.RawMessage) (input, error) {
	if len(data) == 0 {
		return input("{}"), nil
	}
	if err := events.CheckJSON(data); err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	for rest := data; ; {
		i := bytes.Index(rest, []byte("${"))
		if i < 0 {
			return input(data), nil
		}
		escaped := i > 0 && rest[i-1] == '$'
		rest = rest[i:]
		if !escaped && !bytes.HasPrefix(rest, []byte("${time}")) && !bytes.HasPrefix(rest, []byte("${date}")) {
			name, _, _ := bytes.Cut(rest, []byte("}"))
			return nil, fmt.Errorf("input: %.40s}: want ${time} or ${date}; $${ stands for ${", name)
		}
		rest = rest[2:]
	}
}

// at returns the input of the run of a time. None of what is put in has to be escaped in
// JSON.
func (i input) at(at time.Time, zone *time.Location) json.RawMessage {
	r := strings.NewReplacer("$${", "${", "${time}", stamp(at), "${date}", at.In(zone).Format(time.DateOnly))
	return json.RawMessage(r.Replace(string(i)))
}
