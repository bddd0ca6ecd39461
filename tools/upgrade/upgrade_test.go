// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const config = `# tool: go.opentelemetry.io/collector/cmd/builder v0.165.0
# tool: go.opentelemetry.io/collector/cmd/mdatagen v0.159.0 # no newer version is served
receivers:
  - gomod: github.com/otelcol-dify/otelcol-dify v0.0.0
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v0.165.0
  # Newer ones need a module
  # that is not served.
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/receiver/redisreceiver v0.161.0
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/receiver/kafkareceiver v0.165.1
exporters:
  # adapted
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/exporter/opensearchexporter v0.138.0
providers:
  - gomod: go.opentelemetry.io/collector/confmap/provider/envprovider v1.71.0
`

func parse(t *testing.T, text string) *pins {
	t.Helper()
	pinned, err := parsePins(text)
	if err != nil {
		t.Fatal(err)
	}
	return pinned
}

func TestParsePins(t *testing.T) {
	pinned := parse(t, config)
	wantNewest := map[string]string{core + " v0": "v0.165.0", core + " v1": "v1.71.0", contrib + " v0": "v0.165.1"}
	if !maps.Equal(pinned.newest, wantNewest) {
		t.Errorf("newest: got %v, want %v", pinned.newest, wantNewest)
	}
	want := []pin{
		{core + "/cmd/mdatagen", "v0.159.0", "no newer version is served"},
		{contrib + "/receiver/redisreceiver", "v0.161.0", "Newer ones need a module that is not served."},
		{adapted, "v0.138.0", "adapted"},
	}
	if got := pinned.exceptions(); !slices.Equal(got, want) {
		t.Errorf("exceptions: got %v, want %v", got, want)
	}
	wantTools := map[string]string{core + "/cmd/builder": "v0.165.0", core + "/cmd/mdatagen": "v0.159.0"}
	if got := pinned.tools(); !maps.Equal(got, wantTools) {
		t.Errorf("tools: got %v, want %v", got, wantTools)
	}
}

func TestParsePinsErrors(t *testing.T) {
	receiver := "  - gomod: " + core + "/receiver/otlpreceiver "
	for name, tt := range map[string]struct{ config, want string }{
		"nothing pinned": {"receivers:\n", "names no module of the collector"},
		"invalid":        {receiver + "vx\n", `otlpreceiver: "vx" is not a version`},
		"twice": {
			receiver + "v0.165.0\n" + receiver + "v0.164.0\n",
			"builder-config.yaml:2: " + core + "/receiver/otlpreceiver is pinned twice",
		},
		"no reason": {
			receiver + "v0.165.0\n  - gomod: " + core + "/exporter/debugexporter v0.164.0\n",
			"debugexporter is at v0.164.0, others at v0.165.0: write the reason in a comment",
		},
		"the reason belongs to another module": {
			"  # reason\n" + receiver + "v0.165.0\n  - gomod: " + core + "/exporter/debugexporter v0.164.0\n",
			"debugexporter is at v0.164.0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parsePins(tt.config); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func goMod(lines ...string) []byte {
	return []byte("module example.com/m\n\nrequire (\n\t" + strings.Join(lines, "\n\t") + "\n)\n")
}

func TestNewestOf(t *testing.T) {
	pinned := parse(t, config)
	got, err := newestOf(pinned, map[string][]byte{
		"a@v1": goMod(core+"/config/confighttp v0.165.0", core+"/pdata v1.70.0 // indirect", adapted+" v0.165.0",
			"golang.org/x/mod v0.42.0"),
		"b@v1": goMod(core+"/config/confighttp v1.71.0", core+"/pdata v1.71.0", contrib+"/receiver/redisreceiver v0.149.0"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{core + "/config/confighttp": "v1.71.0", core + "/pdata": "v1.71.0"}
	for _, p := range pinned.list {
		want[p.path] = p.version
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNewestOfConflict(t *testing.T) {
	_, err := newestOf(parse(t, config), map[string][]byte{"a@v1": goMod(contrib + "/receiver/redisreceiver v0.162.0")})
	want := contrib + "/receiver/redisreceiver is pinned to v0.161.0, but a@v1 requires v0.162.0"
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestRewriteGoMod(t *testing.T) {
	before := `module example.com/m

go 1.26.0

require (
	go.opentelemetry.io/collector/config/confighttp v0.138.0
	go.opentelemetry.io/collector/gone v0.138.0
	golang.org/x/mod v0.42.0 // why
)

require (
	go.opentelemetry.io/collector/pdata v1.44.0 // indirect
	github.com/open-telemetry/opentelemetry-collector-contrib/exporter/opensearchexporter v0.138.0 // indirect
	go.opentelemetry.io/collector/other v0.138.0 // indirect
)
`
	wanted := map[string]string{core + "/config/confighttp": "v1.71.0", core + "/pdata": "v1.71.0", adapted: "v0.165.0"}
	got, left, err := rewriteGoMod("go.mod", before, wanted)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(before, "confighttp v0.138.0", "confighttp v1.71.0", 1)
	want = strings.Replace(want, "pdata v1.44.0", "pdata v1.71.0", 1)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if want := []string{core + "/gone v0.138.0"}; !slices.Equal(left, want) {
		t.Errorf("left: got %v, want %v", left, want)
	}
	_, _, err = rewriteGoMod("x/go.mod", "nonsense", wanted)
	if err == nil || !strings.Contains(err.Error(), "x/go.mod") {
		t.Errorf("got error %v, want one that names the file", err)
	}
}

func TestRewriteText(t *testing.T) {
	pinned := parse(t, config)
	wanted := map[string]string{
		core + "/receiver/otlpreceiver":     "v0.165.0",
		core + "/cmd/builder":               "v0.165.0",
		core + "/config/confighttp":         "v1.71.0",
		contrib + "/receiver/redisreceiver": "v0.161.0",
	}
	for _, tt := range []struct{ before, after string }{
		{"- gomod: " + core + "/receiver/otlpreceiver v0.138.0", "- gomod: " + core + "/receiver/otlpreceiver v0.165.0"},
		{"go install " + core + "/cmd/builder@v0.138.0", "go install " + core + "/cmd/builder@v0.165.0"},
		{core + "/config/confighttp v0.138.0", core + "/config/confighttp v1.71.0"},
		{"  - " + core + " => " + core + " v0.138.0", "  - " + core + " => " + core + " v0.165.0"},
		// an exception
		{contrib + "/receiver/redisreceiver v0.138.0", contrib + "/receiver/redisreceiver v0.161.0"},
		// no pinned module requires them
		{contrib + "/processor/attributesprocessor v0.138.0", contrib + "/processor/attributesprocessor v0.165.1"},
		{core + "/confmap/provider/x v1.44.0", core + "/confmap/provider/x v1.71.0"},
		{adapted + " v0.138.0", adapted + " v0.138.0"},
		{
			"https://github.com/open-telemetry/opentelemetry-collector/blob/v0.138.0/config/confighttp/README.md",
			"https://github.com/open-telemetry/opentelemetry-collector/blob/v0.165.0/config/confighttp/README.md",
		},
		{
			"https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/v0.138.0/pkg",
			"https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/v0.165.1/pkg",
		},
		{
			"Core is pinned to v0.138.0 and contrib to v0.136.0. It was missing in core v0.137.0.",
			"Core is pinned to v0.165.0 and contrib to v0.165.1. It was missing in core v0.137.0.",
		},
		{"the pin (core v0.138.0, contrib v0.136.0)", "the pin (core v0.165.0, contrib v0.165.1)"},
		{"github.com/otelcol-dify/otelcol-dify v0.0.0", "github.com/otelcol-dify/otelcol-dify v0.0.0"},
	} {
		if got := rewriteText(tt.before, pinned, wanted); got != tt.after {
			t.Errorf("%s: got %s, want %s", tt.before, got, tt.after)
		}
	}
}

// The repository is as make upgrade leaves it.
func TestRepositoryIsUpToDate(t *testing.T) {
	if err := run(io.Discard, "../..", true); err != nil {
		t.Error(err)
	}
}

// With every other file at older versions, make upgrade writes the present ones again.
func TestOlderFilesFollow(t *testing.T) {
	root := t.TempDir()
	older := regexp.MustCompile(`v(0\.165|1\.71)\.\d+`)
	present := map[string]string{}
	files := slices.Clone(texts)
	for _, module := range modules {
		files = append(files, filepath.Join(module, "go.mod"))
	}
	for _, pattern := range files {
		paths, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			name, err := filepath.Rel("../..", path)
			if err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			present[name] = string(content)
			written := string(content)
			if strings.HasSuffix(name, "go.mod") {
				written = older.ReplaceAllStringFunc(written, func(version string) string {
					if strings.HasPrefix(version, "v1") {
						return "v1.44.0"
					}
					return "v0.138.0"
				})
			}
			if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, name), []byte(written), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	changed, err := plan(io.Discard, root)
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range modules {
		name := filepath.Join(module, "go.mod")
		if changed[name] == "" {
			t.Errorf("%s is not written", name)
		}
		if changed[name] != present[name] && module != toolsModule {
			t.Errorf("%s: got\n%s\nwant\n%s", name, changed[name], present[name])
		}
	}
}

func TestModuleThatIsNotServed(t *testing.T) {
	pinned := parse(t, "  - gomod: "+contrib+"/processor/filterprocessor v0.999.0\n")
	_, err := required(pinned, nil)
	want := contrib + "/processor/filterprocessor v0.999.0 is not served: "
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got error %v, want one that begins with %s", err, want)
	}
}
