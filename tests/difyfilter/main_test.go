// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package difyfilter tests what dify_filter promises on the built binary, with the shipped pipelines and real servers.
package difyfilter

import (
	"fmt"
	"os"
	"testing"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := servers.StopShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
