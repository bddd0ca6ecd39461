// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package storageclient

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// maxCommand limits how much of a command line is quoted.
const maxCommand = 80

// holder names the process that has the file locked. A process of another container can't be seen.
func holder(file string) string {
	info, err := os.Stat(file)
	if err != nil {
		return otherProcess
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	locks, err := os.ReadFile("/proc/locks")
	if !ok || err != nil {
		return otherProcess
	}
	inode := ":" + strconv.FormatUint(stat.Ino, 10)
	for line := range strings.Lines(string(locks)) {
		f := strings.Fields(line) // 1: FLOCK ADVISORY WRITE 1234 08:01:5678 0 EOF
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], inode) {
			continue
		}
		command, err := os.ReadFile("/proc/" + f[4] + "/cmdline")
		if err != nil {
			continue
		}
		text := string(bytes.TrimSpace(bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
		if len(text) > maxCommand {
			text = text[:maxCommand] + "…"
		}
		return fmt.Sprintf("process %s (%s)", f[4], text)
	}
	return otherProcess
}
