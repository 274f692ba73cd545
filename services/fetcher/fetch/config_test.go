package fetch

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"segue/document"
)

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for field, cfg := range map[string]Config{
		"MaxDocument":    {MaxDocument: -1},
		"MaxRedirects":   {MaxRedirects: -2},
		"MaxRatio":       {MaxRatio: -1},
		"MaxDecoders":    {MaxDecoders: -1},
		"MaxHeader":      {MaxHeader: -1},
		"DialTimeout":    {DialTimeout: -time.Second},
		"HeaderTimeout":  {HeaderTimeout: -time.Second},
		"IdleTimeout":    {IdleTimeout: -time.Second},
		"Secrets":        {Secrets: "/does/not/exist"},
		"is none":        {Secrets: file},
		"MaxResumes":     {MaxResumes: -2},
		"PerHost":        {PerHost: -2},
		"HostRate":       {HostRate: -1},
		"HostRate is":    {HostRate: 1e9},
		"HostRate is 0.": {HostRate: 0.001},
		"TurnWait is":    {TurnWait: time.Hour},
		"TurnWait":       {TurnWait: -time.Second},
		"Proxy":          {Proxy: "proxy.example:3128"},
		"Proxy is":       {Proxy: "s3://bucket/key"},
		"S3Endpoint":     {S3Endpoint: "https://s3.example/?x=1"},
		"AllowNets":      {AllowNets: []netip.Prefix{{}}},
		"AllowFiles":     {AllowFiles: []string{"/does/not/exist"}},
		"not a director": {AllowFiles: []string{file}},
	} {
		if _, err := NewFetcher(cfg, document.NewMemory("TEST")); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

// The programs embed Config into their flags.
func TestConfigFlags(t *testing.T) {
	t.Setenv("SEGUE_ALLOW_NETS", "10.0.0.0/8,fd00::/8")
	t.Setenv("SEGUE_MAX_DOCUMENT", "5")
	var cfg Config
	parser, err := kong.New(&cfg, kong.Name("fetcher"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--allow-files", "a", "--allow-files=b", "--allow-port", "8080,8443", "--per-host=-1", "--host-rate", "0.5", "--turn-wait", "1m", "--allow-bucket", "A"}); err != nil {
		t.Fatal(err)
	}
	want := Config{
		AllowNets:   []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		AllowFiles:  []string{"a", "b"},
		Ports:       []uint16{8080, 8443},
		MaxDocument: 5, AllowBuckets: []string{"A"},
		PerHost: -1, HostRate: 0.5, TurnWait: time.Minute,
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got %+v, want %+v", cfg, want)
	}
	if _, err := parser.Parse([]string{"--allow-net", "10.0.0.1"}); err == nil || !strings.Contains(err.Error(), "allow-net") {
		t.Errorf("a prefix without a length gives %v", err)
	}
	for f := range reflect.TypeFor[Config]().Fields() {
		if flag := f.Tag.Get("name") != ""; flag == (f.Tag.Get("kong") == "-") || flag && (f.Tag.Get("env") == "" || f.Tag.Get("help") == "") {
			t.Errorf("%s has tags %s", f.Name, f.Tag)
		}
	}
}
