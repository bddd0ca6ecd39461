// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Command small stands for the binaries of a release in tests. It has one dependency.
package main

import "golang.org/x/mod/module"

func main() { _ = module.CheckPath("") }
