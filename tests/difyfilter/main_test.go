// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package difyfilter tests the guarantees of dify_filter with the built binary, the shipped pipelines and real
// servers.
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
