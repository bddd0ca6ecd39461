// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"bytes"
	"errors"
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

// make generate must not change anything. It runs in a copy, so that it does not disturb other tests.
func TestGeneratedFilesAreUpToDate(t *testing.T) {
	files := sources(t)
	clone := t.TempDir()
	for _, name := range files {
		copyInto(t, clone, name)
	}
	for _, installed := range []string{".tools", ".cache"} { // or make would install them again
		require.NoError(t, os.Symlink(repo.Path(installed), filepath.Join(clone, installed)))
	}

	cmd := exec.CommandContext(t.Context(), "make", "generate")
	cmd.Dir = clone
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "make generate:\n%s", out)

	generated := 0
	for _, name := range append(files, written(t, clone)...) {
		want, err := os.ReadFile(filepath.Join(clone, name))
		if errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: removed by make generate", name)
			continue
		}
		require.NoError(t, err)
		got, err := os.ReadFile(repo.Path(name))
		if err != nil || !bytes.Equal(want, got) {
			t.Errorf("%s is not what make generate writes: run it and commit the result", name)
		}
		if strings.HasPrefix(filepath.Base(name), "generated_") {
			generated++
		}
	}
	assert.Positive(t, generated)
}

// sources lists the files that a commit of everything would contain.
func sources(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = repo.Path()
	out, err := cmd.Output()
	require.NoError(t, err, "git ls-files")
	var files []string
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if _, err := os.Stat(repo.Path(name)); err == nil { // otherwise deleted, and not committed yet
			files = append(files, name)
		}
	}
	require.NotEmpty(t, files)
	return files
}

// written lists files of the generated folders that only the clone may have.
func written(t *testing.T, clone string) []string {
	t.Helper()
	var files []string
	for _, folder := range []string{"components", "distro"} {
		require.NoError(
			t,
			filepath.WalkDir(filepath.Join(clone, folder), func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				name, err := filepath.Rel(clone, path)
				files = append(files, name)
				return err
			}),
		)
	}
	return files
}

func copyInto(t *testing.T, clone, name string) {
	t.Helper()
	info, err := os.Lstat(repo.Path(name))
	require.NoError(t, err)
	to := filepath.Join(clone, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o750))
	text, err := os.ReadFile(repo.Path(name))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, info.Mode().Perm()))
	require.NoError(t, os.Chtimes(to, info.ModTime(), info.ModTime())) // or make would build the tools again
}
