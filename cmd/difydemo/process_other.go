// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package main

import "os/exec"

func setProcessGroup(*exec.Cmd) {}
