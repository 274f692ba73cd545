package transform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/itchyny/gojq"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var usual = Limits{Time: time.Second, Work: 2_000_000, Results: 10_000, MaxResult: 16 << 20}

func run(t testing.TB, program, record string, l Limits) (string, error) {
	t.Helper()
	p, err := Compile(program, l)
	if err != nil {
		return "", err
	}
	out, n, err := p.Run(context.Background(), nil, []byte(record))
	if err == nil && strings.Count(string(out), "\n") != n {
		t.Errorf("%s: %d results in %q", program, n, out)
	}
	return string(out), err
}

// What a program does is not changed by the meter that is built into it: gojq
// itself says the same.
func TestSameAsGojq(t *testing.T) {
	t.Parallel()
	record := `{"a":1,"b":[3,1,2,1],"c":{"x":"héllo wörld","y":null,"z":[{"k":"p","v":1},{"k":"q","v":2.5}]},"d":"2024-03-01T10:20:30Z","big":12345678901234567890,"t":true,"s":"a1b22c333"}`
	for _, program := range []string{
		`.`, `.a`, `.b[]`, `.b[1:3]`, `.c.z[].k`, `.c.z[]?.nope?`, `.x[]?`, `.s[1:3], .b[.a:], .b[:-1], .c.x[2:][1:]?`, `.b[1:] | .[0]`, `.[1:]?`, `"abc" | .[1:], .[:1]`, `.b[.a], .c[("x","y")], .["a"], .[.s]?`, `. as {("a","t"): $x} | $x`, `.b as $b | .a | $b[.:]`, `del(.b[.a])`, `path(.b[.a:])`, `.s[1]?`, `..`, `[..|numbers]`, `.a + 1, .a - .b[0], .a * 3, .a / 2, 7 % 3`, `.big + 1`, `.big * .big`,
		`[(1,2) + (10,20)]`, `[(1,2) - (10,20)]`, `[(5,6) == (5,6)]`, `[(1,2) < (1,3)]`, `"x" * 3`, `.c * {x:1}`, `"a,b" / ","`, `.b - [1]`, `.b + [9]`,
		`.c | keys, length, to_entries`, `with_entries(select(.key < "c"))`, `.b | sort, unique, min, max, add, reverse`, `.c.z | map(.k), map_values(.v), sort_by(-.v), group_by(.k), unique_by(.k), min_by(.v), max_by(.v)`,
		`.c | map_values(type)`, `.a = 5`, `.b[1] = 7`, `.b[10] = 1`, `.c.new.deep = 1`, `.a |= . + 1`, `.b[] |= . * 2`, `.b |= map(. + 1)`, `.a += 1`, `.a -= 1, .a *= 4`, `.a /= 2`, `.a %= 2`, `.n //= 3`, `.b[] += 1`, `(.a, .t) = 0`, `.a = (1,2)`, `.a += (1,2)`,
		`.b |= (.[] | select(. > 1))`, `.b[] |= empty`, `.c[] |= type`, `.c[] |= empty`, `.x[] |= 1`, `.a[] |= 1`, `.[][]? |= 1`, `.c.z[].v |= . + 1`, `.c.z[] |= (.v |= . * 2)`, `[.b, .b] | .[][] |= . + 1`, `.b[] |= (., 1)`, `def map_values(f): 7; .b[] |= 1`, `(.b[] | select(. == 1)) |= 100`, `del(.a)`, `del(.b[1,2])`, `del(.b[1:3])`, `del(.c.z[] | select(.v == 1))`, `to_entries | from_entries`, `[paths]`, `[paths(type == "number")]`, `[leaf_paths?]?`,
		`path(.b[0], .c.z)`, `[path(..)] | length`, `getpath(["c","x"])`, `setpath(["c","x"]; 1)`, `delpaths([["a"],["b",0]])`, `pick(.a, .c.x)`, `has("a"), (.b | has(3))`, `.b | contains([1]), inside([1,2,3,4]), index(1), rindex(1), indices(1), indices([1,2])`,
		`.s | test("b\\d+"), [match("\\d+"; "g").string], capture("(?<l>[a-z])(?<d>\\d+)"), [scan("[a-z]\\d")], sub("\\d+"; "#"), gsub("\\d+"; "<\(.)>"), gsub("(?<d>\\d+)"; "[\(.d)]"), split("b"), [splits("\\d+")], ascii_upcase`,
		`.c.x | explode, (explode | implode), ltrimstr("hé"), rtrimstr("ld"), startswith("h"), endswith("x"), length, utf8bytelength, @base64, (@base64 | @base64d), @uri, @html, @json, @text, @sh`, `[1,"a",null] | @csv, @tsv`, `@base64 "x\(.a)y"`, `"v=\(.b) \(.c.x)"`,
		`.d | fromdate, (strptime("%Y-%m-%dT%H:%M:%SZ") | mktime), (fromdate | todate)`, `1700000000 | gmtime, strftime("%A %d %B %Y")`, `tojson, (tojson | fromjson), tostring`, `.c | tojson`, `"12.50" | tonumber`, `.b | tostring`, `[.b[] | tostring] | join("-")`, `.b | join(",")`,
		`if .a == 1 then "one" elif .a == 2 then "two" else "many" end`, `try error("x") catch .`, `try error({a:1}) catch .a`, `.nope?`, `.a.b?`, `.a // 3, .nope // 4`, `[.b[] as $x | $x * $x]`, `. as {a: $x, b: [$y]} | $x + $y`, `.b as [$x, $y] | {$x, $y}`, `reduce .b[] as $x (0; . + $x)`, `[foreach .b[] as $x (0; . + $x)]`, `[foreach .b[] as $x (0; . + $x; [$x, .])]`, `label $f | .b[] | if . == 2 then ., break $f else . end`,
		`[limit(2; .b[])], [first(.b[])], [skip(1; .b[])], nth(2; .b[]), [range(5)], [range(2;10;3)], [while(. != null; null)], [.a | until(. > 100; . * 2)], [.a | recurse(if . < 3 then . + 1 else empty end)], [repeat(1; 2)?]?`, `[.b[] | select(. > 1)] | any, all`, `any(.b[]; . == 2), all(.b[]; . > 0), isempty(.b[]), isempty(empty)`, `[.b, .b] | transpose, flatten, combinations`, `[[1,2],[3,4]] | [combinations]`, `walk(if type == "number" then . + 1 else . end)`, `[tostream] | length`, `fromstream(tostream)`, `[1,[2,[3]]] | flatten(1)`, `input_line_number?`, `$__loc__`, `INDEX(.c.z[]; .k)`, `.b | IN(.[]; 1, 2)`, `[.b[] | IN(1, 3)]`, `def f(x): x + 1; f(.a)`, `def f($x; $y): $x * $y; f(2; 3)`, `def length: 42; length`, `def fac: if . < 2 then 1 else . * (. - 1 | fac) end; 25 | fac`, `.b | bsearch(2)`, `{(.s): 1, "k\(.a)": 2, "lit": .a}`, `{a, b: .b[0]}`, `. as $r | {$r} | keys`, `{a:1} | .["a"], ."a", .["b"]?`, `-.a, -(.a)`, `.a and .t, (.a or false), (.t | not)`, `[.b[] | floor, sqrt, pow(.; 2), log]`, `infinite, nan | isinfinite`, `limit(0; 1)`, `ascii_downcase?`, `splits("x")?`, `.[]?`, `.. |= (numbers |= . + 1)?`, `add(.b[])`, `ltrimstr(1)`, `abs?`, `[.b[] | abs]`, `tojson | ascii_downcase | length`, `last, first?`, `.b | last, first, last(.[]), nth(1)`, `getpath(["a","b"])?`, `error?`, `.c.z | map(select(.v > 1) | {k, n: (.v | round)})`, `@json "x\(.c)"`, `[.[] | strings]`, `to_entries[] | select(.value | type == "number") | {(.key): .value}`, `reduce (.c.z[] | {(.k): .v}) as $o ({}; . + $o)`, `ltrimstr("x") | type`, `trim?`, `"  x " | trim, ltrim, rtrim`, `[splits(", *"; null)?]`, `tojson | test("HÉ"; "i")`, `.c.x | ascii`,
	} {
		query, err := gojq.Parse(program)
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		want, wantErr := reference(query, record)
		got, err := run(t, program, record, usual)
		if wantErr != "" && err == nil || wantErr == "" && err != nil || got != want {
			t.Errorf("%s\n got %s (%v)\nwant %s (%s)", program, got, err, want, wantErr)
		}
	}
}

func reference(query *gojq.Query, record string) (out, failure string) {
	var input any
	d := json.NewDecoder(strings.NewReader(record))
	d.UseNumber()
	_ = d.Decode(&input)
	code, err := gojq.Compile(query)
	if err != nil {
		return "", err.Error()
	}
	for results := code.Run(input); ; {
		v, ok := results.Next()
		if !ok {
			return out, ""
		}
		if err, ok := v.(error); ok {
			return out, err.Error()
		}
		text, _ := gojq.Marshal(v)
		out += string(text) + "\n"
	}
}

// TestHostilePrograms runs programs that want all memory or all time.
func TestHostilePrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("HOSTILE PROGRAMS WERE NOT RUN: run without -short")
	}
	for i, program := range []string{
		`[range(1e9)]`, `def f: f; f`, `def f: 1 + f; f`, `def f: f, f; f`, `[repeat(1)]`, `[recurse]|recurse(.)`, `last(repeat(1))`, `[limit(1e9; repeat("x"))]`, `until(false; .)`, `reduce range(1e9) as $i (0; .)`, `[while(true; .)]`,
		`"x" * 2147483646`, `"x" * 1e9 | length`, `reduce range(50) as $i ("x"; . + .)`, `reduce range(50) as $i ("x"; . * 2)`, `reduce range(99) as $i ("x"; "\(.)\(.)")`, `reduce range(50) as $i ([1]; . + .) | length`, `[.] | until(false; . + .)`,
		`reduce range(99) as $i ([]; [., .])`, `reduce range(99) as $i ([]; [., .]) | tojson | length`, `reduce range(99) as $i ([]; [., .]) | . == .`, `reduce range(99) as $i ([]; [., .]) | flatten | length`, `reduce range(99) as $i ([]; [., .]) | [., .] | sort`, `reduce range(99) as $i ({}; {a: ., b: .}) | . * .`, `reduce range(99) as $i ([]; [., .]) | contains(.)`, `reduce range(99) as $i ([]; [., .]) | [..] | length`, `reduce range(99) as $i ([]; [., .]) | [paths] | length`, `reduce range(99) as $i ([]; [., .]) | walk(.)`, `reduce range(99) as $i ([]; [., .]) | "\(.)"`, `reduce range(99) as $i ([]; [., .]) | error`, `reduce range(99) as $i ([]; [., .]) | @text`, `reduce range(99) as $i ([]; [., .]) | unique, min, group_by(.)`, `reduce range(99) as $i ([]; [., .]) | [.] - [.]`, `reduce range(99) as $i ([]; [., .]) | IN(.)`, `reduce range(99) as $i ([]; [., .]) | [[.]] | transpose | index([.])`, `reduce range(99) as $i ([]; [., .]) | try error catch length`,
		`.[1e8] = 1`, `.[536870911] = 1`, `setpath([1e8]; 1)`, `[range(1e4)] | reduce range(1e4) as $i (.; .[$i + 1e6] = 1)`, `{} | reduce range(1e5) as $i (.; .["\($i)"][1000000] = 1)`, `[range(1000)] | .[(range(1e5) | 0):0] = [range(1000)]`, `null | .[1e8:] = [1]`, `[limit(1e5; repeat([range(1000)]))] | transpose`,
		`[[range(1e5)], (range(1e5) | [])] | transpose`, `[range(1e5)] as $a | def f: $a[] | f; f`, `[range(1e5)] as $a | [range(1e5) | $a | .[0] = 1]`, `[range(1e5)] as $a | [range(1e5) | $a | reverse]`, `[range(1e4)] | [.[] as $x | .[] as $y | [$x, $y]]`, `[range(20)] | [combinations(20)]`, `[range(1e5)] | . - .`, `[range(1e5)] | indices(.)`,
		`reduce range(99) as $i (3; . * .)`, `reduce range(1e6) as $i (7; . * 10000000007)`, `[range(1e5) | tostring] | join("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" * 1000)`, `("1" * 1e6) | tonumber | . + 1`, `("[" * 1e5) | fromjson`, `("[1," * 1e5 + "1" + "]" * 1e5) | fromjson`, `"1e1000000000" | tonumber | floor | tostring`,
		`[range(1e6) | "a\(.)" | test("x\(.)")]`, `("a" * 1e5) | [match(""; "g")] | length`, `("a" * 1e5) | gsub(""; "xxxxxxxxxxxxxxxxxxxxxxxx")`, `("a" * 1e6) | test("(a?){1000}(a?){1000}")`, `("a" * 1e5) | [match("(((((((((((((((a)))))))))))))))"; "g")]`, `"x" | test("((((a{100}){100}){100}){100})")`, `("%1024Y" * 1e4) as $f | 0 | strftime($f)`, `("%c" * 1e6) as $f | [range(100) | strftime($f)]`,
		`reduce range(2000) as $i (0; [.]) | tojson`, `reduce range(1e6) as $i (0; [.])`, `reduce range(1e6) as $i (0; {a: .}) | [paths] | length`, `[range(1e5)] | map([range(1e3)])`, `[range(1e9) | select(false)]`, `first(range(1e12) | select(. > 1e11))`, `[range(1e5) | 0] as $a | $a[$a[5000:]]`, `[range(1e5) | 0] as $a | $a | getpath([$a[5000:]])`, `reduce range(99) as $i ([]; [., .]) | .[.]`, `("x" * 3e7) as $s | [range(1e9) | $s[0:1]]`, `("x" * 3e7) as $s | last(range(1e9) | $s[0])`, `("é" * 1e6) as $s | last(range(1e9) | $s | .[5:6])`, `{} | reduce range(1e7) as $i (.; .["k\($i)"] = $i)`, `("x" * 1e6) | explode | implode | explode`, `("x" * 1e6) | [splits("")] | length`, `("x" * 1e6) / "" | length`, `range(1e9)`, `repeat("x" * 1000)`, `("\u0000" * 4e6)`, `("\"" * 3e6) | tojson | tojson | tojson | tojson | length`, `def a(f): f | f; def b(f): a(a(f)); def c(f): b(b(f)); def d(f): c(c(f)); d(d(.+.)) `, `[limit(100000; repeat(.))] | until(false; [.[] | .])`, `ltrimstr("x" * 1e9)`, `path(repeat(.a))`, `[path(range(1e9) as $i | .a)]`, `[paths] | until(false; . + [.])`, `try repeat(1) catch 1`, `(try last(repeat(1)) catch 2), repeat(3)`, `def f: try f catch f; f`, `label $x | repeat(1)`, `input`, `now`, `$ENV`, `env`, `halt`, `_pay("x")`, `def _pay(x): .; 1`, `1 as $_y | 2`, `_add(1; 2)`, `import "a" as a; 1`, `include "x"; 1`, `jn(1e9; 1)`, `limit(1e9; 1) |= 1`, `[.[]?] | @json "\(repeat(1))"`, `{(repeat("x")): 1}`, `if repeat(false) then 1 else 2 end`, `@base64d`, `"/////w" | @base64d | @base64d | explode`,
	} {
		for _, record := range []string{`{"a":{"b":"c"}}`, `[1,2,3]`, `null`}[i%3:][:1] {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			out, err := run(t, program, record, usual)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			var e *Error
			if err == nil && len(out) > usual.MaxResult || errors.As(err, &e) && len(err.Error()) > 300 {
				t.Errorf("%s of %s: %d bytes, %v", program, record, len(out), err)
			}
			if took > 10*usual.Time || after.Sys-before.Sys > 512<<20 {
				t.Errorf("%s of %s: %v, %d MiB more from the system", program, record, took, (after.Sys-before.Sys)>>20)
			}
		}
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	_, err := run(t, "last(range(1e9))", "1", Limits{Time: 20 * time.Millisecond, Work: 1 << 40, Results: 1, MaxResult: 10})
	var e *Error
	if !errors.As(err, &e) || !e.Limit || !strings.Contains(e.Reason, "it takes more than 20ms for one record") {
		t.Errorf("%v", err)
	}
}

// The end of the caller's context ends a program, and is not its failure.
func TestContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, err := Compile("try last(range(1e9)) catch 1", usual)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Run(ctx, nil, []byte("1")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if out, n, err := p.Run(t.Context(), nil, []byte("1")); err == nil || n != 0 || len(out) > 0 {
		t.Errorf("run again: %q, %v", out, err) // it goes on to its limit, not to the context of before
	}
}

// A program fails on one record and goes on with the next; what it has learned of
// one, as regular expressions, does not grow with their number.
func TestRecordAfterRecord(t *testing.T) {
	t.Parallel()
	p, err := Compile(`.re as $re | .s | test($re)`, usual)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxPatterns {
		record := fmt.Sprintf(`{"re":"^x%d$","s":"x%d"}`, i, i)
		if out, _, err := p.Run(t.Context(), nil, []byte(record)); err != nil || string(out) != "true\n" {
			t.Fatalf("%s: %q, %v", record, out, err)
		}
		if _, _, err := p.Run(t.Context(), nil, []byte(`{"re":1,"s":2}`)); err == nil {
			t.Fatal("a pattern that is a number is accepted")
		}
		if len(p.meter.patterns) > maxPatterns+1 {
			t.Fatalf("%d patterns are kept", len(p.meter.patterns))
		}
	}
}

// What people do to long arrays is within the limit.
func TestLongArrays(t *testing.T) {
	if testing.Short() {
		t.Skip("LONG ARRAYS WERE NOT TRIED: run without -short")
	}
	t.Parallel()
	record := "[" + strings.Repeat("12345678,", 99_999) + "1]"
	for _, program := range []string{
		`map(. + 1) | length`, `.[] |= . + 1 | length`, `map(select(. > 5)) | length`, `add`, `sort | unique | length`, `[.[] | tostring] | join(",") | length`, `length as $n | .[$n - 1]`, `.[]`,
	} {
		l := usual
		l.Results, l.Time = 100_000, time.Minute
		if _, err := run(t, program, record, l); err != nil {
			t.Errorf("%s: %v", program, err)
		}
	}
}

// A program may be nested as deep as its length allows.
func TestNestedProgram(t *testing.T) {
	t.Parallel()
	for _, pair := range []string{"()", "[]", "{}"} {
		n := maxProgram/2 - 10
		program := strings.Repeat(pair[:1], n) + "1" + strings.Repeat(pair[1:], n)
		if _, err := run(t, program, "1", usual); err != nil && len(err.Error()) > 500 {
			t.Errorf("%.10s...: a message of %d bytes", program, len(err.Error()))
		}
	}
	if _, err := run(t, strings.Repeat("-", maxProgram-10)+"1", "1", usual); err != nil && len(err.Error()) > 500 {
		t.Errorf("a message of %d bytes", len(err.Error()))
	}
}

func TestRefusesRecords(t *testing.T) {
	t.Parallel()
	for want, record := range map[string]string{
		"the limit for one is 4194304": `"` + strings.Repeat("x", maxInput) + `"`,
		"more than 1000 digits":        strings.Repeat("1", maxDigits+1),
	} {
		_, err := run(t, ".", record, usual)
		var e *Error
		if !errors.As(err, &e) || !e.Limit || !strings.Contains(e.Reason, want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := Compile(strings.Repeat(" ", maxProgram)+".", usual); err == nil || !strings.Contains(err.Error(), "the limit is 65536") {
		t.Errorf("a long program: %v", err)
	}
}
