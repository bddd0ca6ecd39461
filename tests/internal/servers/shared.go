// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests of a package share one server of each kind, which is started on first use. Their TestMain calls
// StopShared.
var (
	SharedPostgres   = share(StartPostgres, (*Postgres).Stop)
	SharedRedis      = share(StartRedis, (*Redis).Stop)
	SharedOpenSearch = share(StartOpenSearch, (*OpenSearch).Stop)
	SharedKafka      = share(StartKafka, (*Kafka).Stop)
)

var stops []func() error

// StopShared stops the shared servers.
func StopShared() error {
	var err error
	for _, stop := range stops {
		err = errors.Join(err, stop())
	}
	return err
}

// share returns a function that starts a server at its first call, and always returns the same server or the same
// failure.
func share[S any](start func(context.Context) (S, error), stop func(S) error) func(testing.TB) S {
	once := sync.OnceValues(func() (S, error) {
		server, err := start(context.Background()) // outlives the first test that uses it
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
