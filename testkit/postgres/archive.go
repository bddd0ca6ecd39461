// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// The second process can't read root's cache directory, so the archive with the binaries is copied into its directory
// before it starts, and out of it after the first download. The cache only saves time.

func archiveDir(dir string) string {
	return filepath.Join(dir, "archive")
}

func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "otelcol-dify", "postgres"), err
}

func loadArchive(dir string) error {
	if err := os.Mkdir(archiveDir(dir), 0o755); err != nil { //nolint:gosec // the user nobody reads it
		return err
	}
	if cache, err := cacheDir(); err == nil {
		copyArchives(cache, archiveDir(dir))
	}
	return nil
}

func storeArchive(dir string) {
	cache, err := cacheDir()
	if err != nil || os.MkdirAll(cache, 0o700) != nil {
		return
	}
	copyArchives(archiveDir(dir), cache)
}

func copyArchives(from, to string) {
	archives, _ := filepath.Glob(filepath.Join(from, "*.txz"))
	for _, path := range archives {
		target := filepath.Join(to, filepath.Base(path))
		if _, err := os.Stat(target); err == nil {
			continue
		}
		_ = copyFile(path, target) // the next run tries again
	}
}

// copyFile never leaves half a file under the target's name.
func copyFile(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.CreateTemp(filepath.Dir(to), ".copy-")
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Chmod(0o644), dst.Close()); err != nil {
		return errors.Join(err, os.Remove(dst.Name()))
	}
	return os.Rename(dst.Name(), to)
}
