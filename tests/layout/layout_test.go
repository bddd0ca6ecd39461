// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package layout checks the structure of components/: the direction of imports, and the size of files and types.
package layout

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

const (
	components = "github.com/otelcol-dify/otelcol-dify/components/"
	shared     = "internal"

	maxRootFiles = 12  // hand-written files of a component's root package
	maxLines     = 300 // of a hand-written file
	maxMethods   = 15  // of a type
)

// Exceptions, each with its reason.
var (
	largeFiles = map[string]string{} // by path from the root of the repository
	// By package path below components/ and type.
	largeTypes = map[string]string{ //nolint:gosec // passes are no passwords
		"difyfilterprocessor.passes":                 "a method for each pass in the three lists of processor.go",
		"difyfilterprocessor/internal/limits.cutter": "a method for each kind of value and data point: pdata has no common type",
		"sentryexporter/internal/waiting.Store":      "errors of runs, of log lines and of calls wait under one lock",
	}
)

// listed is a package as go list prints it.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// listPackages returns every package below components/, for each system that has files of its own.
func listPackages(t *testing.T) []listed {
	t.Helper()
	var all []listed
	for _, system := range []string{"linux", "windows"} {
		cmd := exec.CommandContext(
			t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./components/...",
		)
		cmd.Dir = repo.Path()
		cmd.Env = append(cmd.Environ(), "GOOS="+system, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
		out, err := cmd.Output()
		require.NoError(t, err, "go list")
		decoder := json.NewDecoder(strings.NewReader(string(out)))
		for decoder.More() {
			var p listed
			require.NoError(t, decoder.Decode(&p))
			all = append(all, p)
		}
	}
	require.NotEmpty(t, all)
	return all
}

// componentOf returns the component that a package belongs to, and whether the package is its root.
func componentOf(importPath string) (component string, root, ok bool) {
	below, ok := strings.CutPrefix(importPath, components)
	if !ok {
		return "", false, false
	}
	component, rest, _ := strings.Cut(below, "/")
	return component, rest == "", true
}

// A package imports only what is below or next to it: nothing in internal/ imports its component's root, no component
// imports another, and what they share imports none.
func TestImportsGoDownwards(t *testing.T) {
	for _, p := range listPackages(t) {
		from, fromRoot, ok := componentOf(p.ImportPath)
		require.True(t, ok, p.ImportPath)
		for _, imported := range p.Imports {
			checkImport(t, p.ImportPath, from, fromRoot, imported)
		}
		for _, imported := range append(p.TestImports, p.XTestImports...) {
			// A root package's external tests import the package itself.
			if imported != p.ImportPath {
				checkImport(t, p.ImportPath+" (test)", from, fromRoot, imported)
			}
		}
	}
}

func checkImport(t *testing.T, importer, from string, fromRoot bool, imported string) {
	t.Helper()
	to, toRoot, ok := componentOf(imported)
	if !ok {
		return
	}
	if to != shared {
		assert.Equalf(t, from, to, "%s imports %s: a component imports no other one", importer, imported)
	}
	assert.Falsef(
		t, to == from && toRoot && !fromRoot, "%s imports %s: a package in internal/ imports its component's root", importer,
		imported,
	)
}

// source is a hand-written file of components/ that is not a test.
type source struct {
	name  string // from the root of the repository, with slashes
	lines int
	file  *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	set := token.NewFileSet()
	require.NoError(t, filepath.WalkDir(repo.Path("components"), func(file string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name == "testdata":
			return fs.SkipDir
		case entry.IsDir(),
			filepath.Ext(name) != ".go",
			strings.HasSuffix(name, "_test.go"),
			strings.HasPrefix(name, "generated_"):
			return nil
		}
		text, err := os.ReadFile(file) //nolint:gosec // of this repository
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(set, file, text, parser.ParseComments)
		if err != nil {
			return err
		}
		if ast.IsGenerated(parsed) {
			return nil
		}
		relative, err := filepath.Rel(repo.Path(), file)
		all = append(all, source{name: filepath.ToSlash(relative), lines: strings.Count(string(text), "\n"), file: parsed})
		return err
	}))
	require.NotEmpty(t, all)
	return all
}

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		if largeFiles[s.name] == "" {
			assert.LessOrEqualf(t, s.lines, maxLines, "lines of %s", s.name)
		}
	}
}

// A component's root package is what the collector sees. Its work is in packages below internal/.
func TestRootPackagesAreSmall(t *testing.T) {
	files := map[string]int{}
	for _, s := range sources(t) {
		if folders := strings.Split(s.name, "/"); len(folders) == 3 { // components/NAME/FILE
			files[folders[1]]++
		}
	}
	for component, n := range files {
		assert.LessOrEqualf(t, n, maxRootFiles, "hand-written files in components/%s", component)
	}
}

func TestTypesHaveFewMethods(t *testing.T) {
	methods := map[string]int{}
	for _, s := range sources(t) {
		folder := strings.TrimPrefix(s.name[:strings.LastIndexByte(s.name, '/')], "components/")
		for _, declaration := range s.file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[folder+"."+receiver(f.Recv.List[0].Type)]++
			}
		}
	}
	require.NotEmpty(t, methods)
	for name, n := range methods {
		if largeTypes[name] == "" {
			assert.LessOrEqualf(t, n, maxMethods, "methods of %s", name)
		}
	}
}

// receiver returns the name of a method's type, without its pointer and type parameters.
func receiver(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	default:
		return ""
	}
}
