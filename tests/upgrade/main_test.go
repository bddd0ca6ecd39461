// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package upgrade starts the built binary on what the version before it left in its storage.
package upgrade

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
