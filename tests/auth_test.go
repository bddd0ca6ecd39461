// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

func TestAPIKeyIsDemanded(t *testing.T) {
	c := newStack(t, stackOptions{
		overlays: []string{repo.Path("config", "overlays", "auth.yaml")},
		env:      map[string]string{"OTLP_API_KEY": apiKey},
	}).Collector
	for _, tc := range []struct {
		name, authorization string
		status              int
		code                codes.Code
	}{
		{"right key", "Bearer " + apiKey, http.StatusOK, codes.OK},
		{"wrong key", "Bearer wrong", http.StatusUnauthorized, codes.Unauthenticated},
		{"another scheme", "Basic " + apiKey, http.StatusUnauthorized, codes.Unauthenticated},
		{"empty key, as Dify before 1.14 sends it", "Bearer ", http.StatusUnauthorized, codes.Unauthenticated},
		{"no key", "", http.StatusUnauthorized, codes.Unauthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.status, exportHTTP(t, c, "traces", tc.authorization, `{"resourceSpans":[]}`))
			assert.Equal(t, tc.status, exportHTTP(t, c, "metrics", tc.authorization, `{"resourceMetrics":[]}`))
			assert.Equal(t, tc.code, exportGRPC(t, c, tc.authorization))
		})
	}
	assert.NotContains(t, c.Log(), apiKey)
}

// exportHTTP sends an export request as JSON and returns the response's status.
func exportHTTP(t *testing.T, c *collector.Collector, signal, authorization, body string) int {
	t.Helper()
	address := "http://" + c.OTLPHTTP + "/v1/" + signal
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func exportGRPC(t *testing.T, c *collector.Collector, authorization string) codes.Code {
	t.Helper()
	conn, err := grpc.NewClient(c.OTLPGRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	ctx := t.Context()
	if authorization != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
	}
	_, err = ptraceotlp.NewGRPCClient(conn).Export(ctx, ptraceotlp.NewExportRequest())
	return status.Code(err)
}
