// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/zip"
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// stock returns the files of the real module.
func stock(t *testing.T, m module) map[string]string {
	t.Helper()
	archive, err := m.download(m.version)
	if err != nil {
		t.Fatal(err)
	}
	files, err := m.read(archive)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got error %v, want one with %q", err, part)
		}
	}
}

func TestAdaptChangesOnlyTheNamedFiles(t *testing.T) {
	for _, m := range modules {
		before, after := stock(t, m), stock(t, m)
		if err := m.adapt(after); err != nil {
			t.Fatal(err)
		}
		edited := map[string]bool{}
		for _, e := range m.edits {
			edited[e.file] = true
			if !strings.Contains(after[e.file], e.new) {
				t.Errorf("%s has no %q", e.file, e.new)
			}
		}
		for path, content := range after {
			if _, there := before[path]; !there {
				edited[path] = true
				if strings.Contains(content, "go:build ignore") {
					t.Errorf("%s is not built in the copy either", path)
				}
			}
			if changed := content != before[path]; changed != edited[path] {
				t.Errorf("%s: changed is %t, want %t", path, changed, edited[path])
			}
			if strings.HasSuffix(path, ".go") {
				if _, err := parser.ParseFile(token.NewFileSet(), path, content, parser.SkipObjectResolution); err != nil {
					t.Error(err)
				}
			}
		}
		news, err := m.newFiles()
		if err != nil {
			t.Fatal(err)
		}
		if len(after) != len(before)+len(news) {
			t.Errorf("got %d files, want %d and %d new ones", len(after), len(before), len(news))
		}
	}
}

func TestEachEditAppliesOnce(t *testing.T) {
	for _, m := range modules {
		for _, e := range m.edits {
			t.Run(e.file, func(t *testing.T) {
				files := stock(t, m)
				if err := m.adapt(files); err != nil {
					t.Fatal(err)
				}
				if n := strings.Count(files[e.file], e.new); n != 1 {
					t.Errorf("%q is there %d times, want once", e.new, n)
				}
			})
		}
	}
}

// Any other module than the expected one is an error that names the place.
func TestAdaptOtherModule(t *testing.T) {
	for _, m := range modules {
		for _, e := range m.edits {
			for name, tt := range map[string]struct {
				change func(files map[string]string)
				want   string
			}{
				"missing file": {func(files map[string]string) { delete(files, e.file) }, "has no file " + e.file},
				"missing place": {
					func(files map[string]string) { files[e.file] = strings.Replace(files[e.file], e.old, "", 1) },
					"is there 0 times, not once",
				},
				"double place": {func(files map[string]string) { files[e.file] += e.old }, "is there 2 times, not once"},
			} {
				t.Run(e.file+" "+name, func(t *testing.T) {
					files := stock(t, m)
					tt.change(files)
					wantError(t, m.adapt(files), tt.want, e.file, "do not fit it")
				})
			}
		}
	}
}

func TestAdaptTwice(t *testing.T) {
	for _, m := range modules {
		files := stock(t, m)
		if err := m.adapt(files); err != nil {
			t.Fatal(err)
		}
		if err := m.adapt(files); err == nil {
			t.Error("an adapted module is adapted again")
		}
	}
}

// A new file must not replace one that a later version of the module may have.
func TestAdaptKeepsFiles(t *testing.T) {
	news, err := openSearch.newFiles()
	if err != nil || len(news) == 0 {
		t.Fatalf("no new files: %v", err)
	}
	for name := range news {
		files := stock(t, openSearch)
		files[name] = "package opensearchexporter\n"
		wantError(t, openSearch.adapt(files), "already has a file "+name)
	}
}

func TestReadLeavesTestsOut(t *testing.T) {
	files := stock(t, openSearch)
	for _, path := range []string{"go.mod", "LICENSE", "factory.go", "config.go"} {
		if files[path] == "" {
			t.Errorf("%s is missing", path)
		}
	}
	for path := range files {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
			t.Errorf("%s is there", path)
		}
	}
}

func TestReadWrongChecksum(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "module.zip")
	var content bytes.Buffer
	writer := zip.NewWriter(&content)
	file, err := writer.Create(openSearch.path + "@" + openSearch.version + "/config.go")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = file.Write([]byte("package opensearchexporter\n")); err != nil {
		t.Fatal(err)
	}
	if err = writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(archive, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = openSearch.read(archive)
	wantError(t, err, archive, "checksum is h1:", "expected "+openSearch.sum, openSearch.path+" "+openSearch.version)

	if _, err := openSearch.read(filepath.Join(t.TempDir(), "missing.zip")); err == nil {
		t.Error("no error for a missing archive")
	}
}

func TestDownloadOfAVersionThatIsNotServed(t *testing.T) {
	_, err := openSearch.download("v0.999.0")
	wantError(t, err, "go mod download: ", openSearch.path)
}

func TestWrite(t *testing.T) {
	out := filepath.Join(t.TempDir(), "made")
	files := map[string]string{"go.mod": "module m\n", "internal/x/x.go": "package x\n"}
	if err := write(out, files); err != nil {
		t.Fatal(err)
	}
	if got := written(t, out); !maps.Equal(got, files) {
		t.Errorf("got %v, want %v", got, files)
	}

	// The same again touches nothing: nothing is built again.
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(filepath.Join(out, "go.mod"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := write(out, files); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(out, "go.mod")); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("the file is written again: %v, %v", info, err)
	}

	// A file of an older copy does not stay.
	if err := write(out, map[string]string{"go.mod": "module n\n"}); err != nil {
		t.Fatal(err)
	}
	if got, want := written(t, out), map[string]string{"go.mod": "module n\n"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func written(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	root := os.DirFS(folder)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, name)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A version that moved in builder-config.yaml needs another checksum here, and a look at the edits. distro/go.mod is
// generated from it, and also has the modules that only others require.
func TestVersionsAreThoseOfTheBuilderFile(t *testing.T) {
	required, err := os.ReadFile("../../distro/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		if line := "\t" + m.path + " " + m.version; !strings.Contains(string(required), line) {
			t.Errorf("distro/go.mod does not require %s: change the version and the sum in module.go", strings.TrimSpace(line))
		}
	}
}

func TestRun(t *testing.T) {
	wantError(t, run("", ""), "-out is missing")
	out := filepath.Join(t.TempDir(), "made")
	for range 2 {
		if err := run(out, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range modules {
		want := stock(t, m)
		if err := m.adapt(want); err != nil {
			t.Fatal(err)
		}
		if got := written(t, filepath.Join(out, path.Base(m.path))); !maps.Equal(got, want) {
			t.Errorf("%s: the folder differs from the adapted module", m.path)
		}
	}
}

func TestMinorVersions(t *testing.T) {
	for _, tt := range []struct {
		last string
		want []string
	}{
		{"v0.140.0", []string{"v0.139.0", "v0.140.0"}},
		{"v0.139.1", []string{"v0.139.0", "v0.139.1"}},
		{"v0.138.1", []string{"v0.138.1"}},
	} {
		if got, err := minorVersions("v0.138.0", tt.last); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", tt.last, got, err, tt.want)
		}
	}
	for _, last := range []string{"", "latest", "v0.138.0", "v0.137.0"} {
		_, err := minorVersions("v0.138.0", last)
		wantError(t, err, "-check "+last+": expected a version above v0.138.0")
	}
}
