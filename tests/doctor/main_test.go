// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package doctor runs `difyctl doctor` on broken installations with real servers, and on a good one.
package doctor

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
