// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package postgres

import (
	"os"
	"os/exec"
)

func giveToNobody(string) error { return nil }

func isRoot() bool { return false }

func setProcess(*exec.Cmd) {}

func selfPath() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}
