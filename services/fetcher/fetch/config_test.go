package fetch

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

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
		"AllowNets":      {AllowNets: []netip.Prefix{{}}},
		"AllowFiles":     {AllowFiles: []string{"/does/not/exist"}},
		"not a director": {AllowFiles: []string{file}},
	} {
		if _, err := NewFetcher(cfg, document.NewMemory("TEST")); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

// Every field is a flag with its environment variable and help, or is none.
func TestConfigTags(t *testing.T) {
	t.Parallel()
	for f := range reflect.TypeFor[Config]().Fields() {
		flag := f.Tag.Get("name") != "" && f.Tag.Get("env") != "" && f.Tag.Get("help") != ""
		if flag == (f.Tag.Get("kong") == "-") {
			t.Errorf("%s has tags %s", f.Name, f.Tag)
		}
	}
}
