// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package tests runs the built binary between real servers, the way an operator does. It imports no component.
package tests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// What takes long to start is started once, when the first test asks for it.
var (
	sharedPostgres   = share(servers.StartPostgres, (*servers.Postgres).Stop)
	sharedRedis      = share(servers.StartRedis, (*servers.Redis).Stop)
	sharedOpenSearch = share(servers.StartOpenSearch, (*servers.OpenSearch).Stop)
)

var stops []func() error

func stopShared() error {
	var err error
	for _, stop := range stops {
		err = errors.Join(err, stop())
	}
	return err
}

// share returns what starts a server at its first call and gives the same one, or the same failure, from then on.
func share[S any](start func(context.Context) (S, error), stop func(S) error) func(testing.TB) S {
	once := sync.OnceValues(func() (S, error) {
		server, err := start(context.Background()) // outlives the test that asks first
		if err == nil {
			stops = append(stops, func() error { return stop(server) })
		}
		return server, err
	})
	return func(tb testing.TB) S {
		tb.Helper()
		server, err := once()
		require.NoError(tb, err)
		return server
	}
}
