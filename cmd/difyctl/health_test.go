// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	addr := server.Listener.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)

	require.NoError(t, ready(addr))
	require.NoError(t, ready("0.0.0.0:"+port), "the address it listens on is not one to call")
	status = http.StatusServiceUnavailable
	require.ErrorContains(t, ready(addr), "the collector is not ready: HTTP 503")
	server.Close()
	require.Error(t, ready(addr))
	assert.ErrorContains(t, ready("nonsense"), "OTELCOL_HEALTH_ENDPOINT")
}
