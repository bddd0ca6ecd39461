// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"syscall"
)

// setProcessGroup keeps the terminal's Ctrl-C away from a child, which must outlive the traffic, and kills it when we
// are killed.
func setProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
