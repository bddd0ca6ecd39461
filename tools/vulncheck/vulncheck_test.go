// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatal(err)
	}
}

func TestWriteDatabase(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	first := `{"id":"GO-2026-0001","modified":"2026-01-02T03:04:05Z","aliases":["CVE-2026-1"],` +
		`"affected":[{"package":{"name":"stdlib"}},{"package":{"name":"example.com/b"}},{"package":{"name":"stdlib"}}]}`
	second := `{"id":"GO-2026-0002","modified":"2026-02-02T03:04:05Z","affected":[{"package":{"name":"stdlib"}}]}`
	writeFile(t, filepath.Join(from, "GO-2026-0001.json"), first)
	writeFile(t, filepath.Join(from, "GO-2026-0002.json"), second)
	writeFile(t, filepath.Join(from, "README.md"), "no entry")
	count, err := writeDatabase(from, to)
	if err != nil || count != 2 {
		t.Fatalf("got %d entries, %v, want 2", count, err)
	}
	var db indexDB
	readJSON(t, filepath.Join(to, "index", "db.json"), &db)
	if want := "2026-02-02"; db.Modified.Format("2006-01-02") != want {
		t.Errorf("modified: got %v, want %s", db.Modified, want)
	}
	var modules []indexModule
	readJSON(t, filepath.Join(to, "index", "modules.json"), &modules)
	got := map[string]string{}
	for _, module := range modules {
		for _, vuln := range module.Vulns {
			got[module.Path] += vuln.ID + " "
		}
	}
	want := map[string]string{"example.com/b": "GO-2026-0001 ", "stdlib": "GO-2026-0001 GO-2026-0002 "}
	if !maps.Equal(got, want) {
		t.Errorf("modules: got %v, want %v", got, want)
	}
	var vulns []indexVuln
	readJSON(t, filepath.Join(to, "index", "vulns.json"), &vulns)
	if len(vulns) != 2 || vulns[0].ID != "GO-2026-0001" || vulns[0].Aliases[0] != "CVE-2026-1" {
		t.Errorf("vulns: got %v", vulns)
	}
	copied, err := os.ReadFile(filepath.Join(to, "ID", "GO-2026-0001.json"))
	if err != nil || string(copied) != first {
		t.Errorf("entry: got %s, %v", copied, err)
	}
}

func TestWriteDatabaseErrors(t *testing.T) {
	for name, tt := range map[string]struct{ file, content, want string }{
		"no entries":    {"README.md", "", "has no entries"},
		"not JSON":      {"GO-2026-0001.json", "{", "GO-2026-0001.json: unexpected end"},
		"another's id":  {"GO-2026-0001.json", `{"id":"GO-2026-0002"}`, `its id is "GO-2026-0002"`},
		"without an id": {"GO-2026-0001.json", `{}`, `its id is ""`},
	} {
		t.Run(name, func(t *testing.T) {
			from := t.TempDir()
			writeFile(t, filepath.Join(from, tt.file), tt.content)
			_, err := writeDatabase(from, t.TempDir())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func findingOf(id, module, function string) string {
	return fmt.Sprintf(`{"finding":{"osv":%q,"fixed_version":"v1.2.0",`+
		`"trace":[{"module":%q,"version":"v1.1.0","package":"p","function":%q,"receiver":"T"},{"module":"ours"}]}}`,
		id, module, function)
}

func TestParse(t *testing.T) {
	stream := strings.Join([]string{
		`{"config":{"protocol_version":"v1.0.0"}}`,
		`{"osv":{"id":"GO-1","summary":"first"}}`,
		findingOf("GO-1", "a", ""),
		findingOf("GO-1", "a", "F"),
		findingOf("GO-1", "a", ""),
		findingOf("GO-1", "a", "G"),
		findingOf("GO-2", "b", ""),
	}, "\n")
	got, err := parse(strings.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]finding{
		"GO-1 a": {"GO-1", "first", "a", "v1.1.0", "v1.2.0", true, "p.T.F"},
		"GO-2 b": {"GO-2", "", "b", "v1.1.0", "v1.2.0", false, ""},
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := parse(strings.NewReader("{")); err == nil {
		t.Error("no error for an output that ends early")
	}
}

func TestReadAccepted(t *testing.T) {
	for name, tt := range map[string]struct{ content, want string }{
		"empty":     {"# nothing\n[]\n", ""},
		"one":       {"- {id: GO-1, module: a, reason: not used}\n", ""},
		"no reason": {"- {id: GO-1, module: a}\n", "entry 1 (GO-1) needs id, module and reason"},
		"blank":     {"- {id: GO-1, module: a, reason: ' '}\n", "needs id, module and reason"},
		"twice": {
			"- {id: GO-1, module: a, reason: x}\n- {id: GO-1, module: a, reason: y}\n",
			"GO-1 a is there twice",
		},
		"unknown key": {"- {id: GO-1, module: a, reasons: x}\n", "field reasons not found"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "accepted.yaml")
			writeFile(t, path, tt.content)
			_, err := readAccepted(path)
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	reachable := finding{"GO-1", "first", "a", "v1.1.0", "v1.2.0", true, "p.F"}
	required := finding{"GO-2", "second", "b", "v1.1.0", "", false, ""}
	acceptedOne := map[string]acceptance{"GO-1 a": {"GO-1", "a", "not used"}}
	for name, tt := range map[string]struct {
		found     []finding
		accepted  map[string]acceptance
		wantError string
		wantOut   string
	}{
		"nothing":       {nil, nil, "", "0 reachable, 0 of them accepted; 0 more"},
		"not reachable": {[]finding{required}, nil, "", "0 reachable, 0 of them accepted; 1 more"},
		"new": {
			[]finding{reachable, required},
			nil,
			"reachable and not accepted: GO-1 a",
			"reachable: GO-1: first\n  a v1.1.0, fixed in v1.2.0, by p.F\n  in target\n  https://pkg.go.dev/vuln/GO-1\n",
		},
		"accepted": {[]finding{reachable}, acceptedOne, "", "accepted (not used): GO-1: first\n"},
		"accepted in another module": {
			[]finding{{"GO-1", "first", "c", "v1.1.0", "v1.2.0", true, "p.F"}},
			acceptedOne,
			"reachable and not accepted: GO-1 c", "",
		},
		"stale":                        {nil, acceptedOne, "accepted, but not found any more: GO-1 a", ""},
		"accepted, now only a require": {[]finding{required}, map[string]acceptance{"GO-2 b": {}}, "GO-2 b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := map[string]finding{}
			for _, f := range tt.found {
				found[f.id+" "+f.module] = f
			}
			all := report{}
			all.add("target", found)
			var out bytes.Buffer
			err := all.judge(&out, tt.accepted)
			if (tt.wantError == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.wantError) {
				t.Errorf("got error %v, want %q", err, tt.wantError)
			}
			if !strings.Contains(out.String(), tt.wantOut) {
				t.Errorf("got\n%s\nwant\n%s", out.String(), tt.wantOut)
			}
		})
	}
}

// A vulnerability that is reachable in one target is reported for that target only.
func TestReportOfSeveralTargets(t *testing.T) {
	called := finding{"GO-1", "first", "a", "v1.1.0", "v1.2.0", true, "p.F"}
	required := called
	required.reachable = false
	all := report{}
	all.add("one", map[string]finding{"GO-1 a": required})
	all.add("two", map[string]finding{"GO-1 a": called})
	all.add("three", map[string]finding{"GO-1 a": required})
	all.add("four", map[string]finding{"GO-1 a": called})
	if got := strings.Join(all["GO-1 a"].targets, " "); got != "two four" {
		t.Errorf("got %q, want two and four", got)
	}
}

func TestScanArguments(t *testing.T) {
	folder := t.TempDir()
	program := filepath.Join(folder, "govulncheck")
	writeFile(t, program, "#!/bin/sh\n"+
		`printf '{"osv":{"id":"GO-1","summary":"%s"}}' "$*"`+"\necho '"+findingOf("GO-1", "a", "F")+"'\n")
	binary := filepath.Join(folder, "binary")
	writeFile(t, binary, "")
	for path, want := range map[string]string{
		folder: "-db file:///db -format json -C " + folder + " -test ./...",
		binary: "-db file:///db -format json -mode binary " + binary,
	} {
		found, err := scan(t.Context(), program, path, "file:///db")
		if err != nil {
			t.Fatal(err)
		}
		if got := found["GO-1 a"].summary; got != want {
			t.Errorf("got arguments %s, want %s", got, want)
		}
	}
	if _, err := scan(t.Context(), program, filepath.Join(folder, "missing"), ""); err == nil {
		t.Error("no error for a missing binary")
	}
	writeFile(t, program, "#!/bin/sh\necho no database >&2\nexit 1\n")
	if _, err := scan(t.Context(), program, binary, ""); err == nil || !strings.Contains(err.Error(), "no database") {
		t.Errorf("got error %v, want one with the program's message", err)
	}
}

// The committed file can be read.
func TestAcceptedFile(t *testing.T) {
	if _, err := readAccepted("accepted.yaml"); err != nil {
		t.Error(err)
	}
}
