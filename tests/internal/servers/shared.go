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

// Of each server a package's tests share one, which is started when the first test asks for it. Their TestMain calls
// StopShared.
var (
	SharedPostgres   = share(StartPostgres, (*Postgres).Stop)
	SharedRedis      = share(StartRedis, (*Redis).Stop)
	SharedOpenSearch = share(StartOpenSearch, (*OpenSearch).Stop)
	SharedKafka      = share(StartKafka, (*Kafka).Stop)
)

var stops []func() error

// StopShared stops what was shared.
func StopShared() error {
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
