package transform

import "testing"

// BenchmarkRun measures the records a second that usual programs take.
func BenchmarkRun(b *testing.B) {
	record := []byte(`{"id":123456,"ident":"EDDB","name":"Berlin Brandenburg","at":{"lat":52.351389,"lon":13.493889},"codes":["BER","EDDB",null],"open":true}`)
	for name, program := range map[string]string{
		"identity": ".", "pick": "{id, lat: .at.lat}", "reshape": `select(.open) | {id, name: (.name | ascii_upcase), codes: [.codes[] | strings]} + .at`,
	} {
		b.Run(name, func(b *testing.B) {
			p, err := Compile(program, usual)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				if out, _, err = p.Run(b.Context(), out[:0], record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile(`with_entries(select(.key | test("^a"))) | del(.x) | .y |= . + 1`, usual); err != nil {
			b.Fatal(err)
		}
	}
}
