// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package storageclient

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"

	"go.opentelemetry.io/collector/component"
)

// directory returns the directory of a file_storage extension, "" for another kind of storage: the extension has no
// method for it, and its own errors name no file.
func directory(extension any) string {
	v := reflect.ValueOf(extension)
	for _, name := range []string{"cfg", "Directory"} {
		for v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return ""
		}
		v = v.FieldByName(name)
	}
	if v.Kind() != reflect.String {
		return ""
	}
	return v.String()
}

// fileName is the name that file_storage gives to the owner's file.
func (o Owner) fileName() string {
	name := fmt.Sprintf("%s_%s_%s", strings.ToLower(o.Kind.String()), o.ID.Type(), o.ID.Name())
	if o.Name != "" {
		name += "_" + o.Name
	}
	return name
}

// explain says which file can't be opened, why, and what to do.
func explain(dir string, owner Owner, err error) error {
	if dir == "" {
		return err
	}
	file := filepath.Join(dir, owner.fileName())
	switch {
	case err.Error() == "timeout": // bbolt's, which waits for the lock
		return fmt.Errorf("%s is in use by %s: stop it, or give this collector a directory of its own "+
			"(OTELCOL_STORAGE_DIR): %w", file, holder(file), err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("no space is left for %s: free some, or move the directory (OTELCOL_STORAGE_DIR): %w", file, err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s is on a file system that is mounted read-only: mount a writable one there: %w", dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is not writable for the collector's user: run `chown -R %d:%d %s`: %w",
			file, os.Getuid(), os.Getgid(), dir, err)
	case damage(err):
		return damaged(file, err)
	}
	return fmt.Errorf("%s: %w", file, err)
}

// damage reports whether the error is one of bbolt's for a file whose content it can't use.
func damage(err error) bool {
	for _, text := range []string{
		"invalid database", "version mismatch", "checksum error", "file size too small", "panic",
	} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

func damaged(file string, err error) error {
	return fmt.Errorf("%s is damaged: restore it from a backup or, to start without what it had, stop the collector and "+
		"run `mv %s %s%s`: %w", file, file, file, setAside, err)
}

// setAside is the suffix of a damaged file that was moved away.
const setAside = ".damaged"

// ownerPrefixes are how the files of file_storage begin.
var ownerPrefixes = []component.Kind{
	component.KindReceiver, component.KindProcessor, component.KindExporter, component.KindExtension,
	component.KindConnector,
}

// checkFiles returns an error for each damaged file of a directory. The files include those of exporters' queues,
// which are opened later and whose error would name no file.
func checkFiles(dir string) error {
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil //nolint:nilerr // opening the storage has the better error
	}
	var errs []error
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !owned(entry.Name()) {
			continue
		}
		file := filepath.Join(dir, entry.Name())
		if ok, err := hasMeta(file); err == nil && !ok {
			errs = append(errs, damaged(file, errors.New("neither of its two meta pages is valid")))
		}
	}
	return errors.Join(errs...)
}

func owned(name string) bool {
	if strings.HasSuffix(name, setAside) || strings.HasSuffix(name, ".backup") {
		return false
	}
	for _, kind := range ownerPrefixes {
		if strings.HasPrefix(name, strings.ToLower(kind.String())+"_") {
			return true
		}
	}
	return false
}
