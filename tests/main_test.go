// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package tests runs the built binary between real servers, as an operator does. It imports no component.
package tests

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
