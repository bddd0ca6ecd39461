// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulk

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if plain != nil {
		if err := plain.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// plain is the node without security that the tests of this package share. It is started on first use.
var plain *servers.OpenSearch

var startPlain = sync.OnceValue(func() (err error) {
	// Outlives the first test that uses it.
	plain, err = servers.StartOpenSearchNode(
		context.Background(), servers.NodeOptions{},
	)
	return err
})

// freshOpenSearch returns a real node without our templates and indices.
func freshOpenSearch(tb testing.TB) *servers.OpenSearch {
	tb.Helper()
	require.NoError(tb, startPlain())
	require.NoError(tb, plain.Reset(tb.Context()))
	require.NoError(tb, plain.Send(tb.Context(), http.MethodDelete, "/_index_template/*", nil, &struct{}{}))
	return plain
}
