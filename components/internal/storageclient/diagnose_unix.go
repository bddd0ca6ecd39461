// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package storageclient

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/otelcol-dify/otelcol-dify/doctor/check"
)

const (
	lowSpace, noSpace = 1 << 30, 100 << 20 // bytes
	variable          = "OTELCOL_STORAGE_DIR"
)

// Diagnose checks a directory for `difyctl doctor`: whether it can be written, its free space, and who uses its files.
// It opens none of them.
func Diagnose(id, dir string) check.Result {
	name := "storage: " + id
	if !filepath.IsAbs(dir) {
		return check.Failed(name, fmt.Sprintf("%q is a relative path: it depends on the folder the collector starts in", dir),
			variable+": an absolute path")
	}
	if filepath.Dir(filepath.Clean(dir)) == "/" {
		return check.Failed(name, dir+" is directly below the root: "+variable+" is set to an empty value",
			"remove "+variable+", or set it to a folder")
	}
	if result, ok := writable(name, dir); !ok {
		return result
	}
	if err := checkFiles(dir); err != nil {
		return check.Failed(name, err.Error(), "the command in the message")
	}
	used, other := users(dir)
	if other != "" {
		return check.Failed(name, other, "stop that process, or give this collector a directory of its own: "+variable)
	}
	return space(name, dir, used)
}

func writable(name, dir string) (check.Result, bool) {
	probe, err := os.CreateTemp(dir, "doctor-*")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		parent := filepath.Dir(dir)
		if _, missing := os.Stat(parent); missing == nil {
			return check.Warning(name, dir+" does not exist: the collector creates it at its start", variable), false
		}
		return check.Failed(name, parent+" does not exist", variable+", or create the folder"), false
	case errors.Is(err, fs.ErrPermission):
		return check.Failed(name, dir+" is not writable for this user",
			fmt.Sprintf("`chown -R %d:%d %s`", os.Getuid(), os.Getgid(), dir)), false
	case err != nil:
		return check.Failed(name, err.Error(), variable), false
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	return check.Result{}, true
}

// users returns how many files are in use by a collector, and the first that another program uses.
func users(dir string) (used int, other string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, ""
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !owned(entry.Name()) {
			continue
		}
		file := filepath.Join(dir, entry.Name())
		switch who := holder(file); {
		case who == otherProcess: // nobody, as far as can be seen
		case strings.Contains(who, "otelcol"):
			used++
		default:
			return used, file + " is in use by " + who
		}
	}
	return used, ""
}

func space(name, dir string, used int) check.Result {
	var stat syscall.Statfs_t
	detail := dir
	if used > 0 {
		detail += fmt.Sprintf(", %d files in use by the collector", used)
	}
	if err := syscall.Statfs(dir, &stat); err != nil {
		return check.OK(name, detail)
	}
	free := stat.Bavail * uint64(stat.Bsize) //nolint:gosec // a size is not negative
	detail += fmt.Sprintf(", %.1f GiB free", float64(free)/(1<<30))
	switch {
	case free < noSpace:
		return check.Failed(name, detail+": the queues can't grow", "free space there, or move "+variable)
	case free < lowSpace:
		return check.Warning(name, detail, "free space there, or lower OTELCOL_QUEUE_MAX_SIZE")
	}
	return check.OK(name, detail)
}
