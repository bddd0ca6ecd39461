// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/setup"
)

func TestAdvice(t *testing.T) {
	for _, tt := range []struct {
		status int
		kind   string
		want   string
	}{
		{http.StatusUnauthorized, "", adviceLogin},
		{http.StatusForbidden, "security_exception", adviceRole},
		{http.StatusForbidden, "", adviceRole},
		{http.StatusForbidden, "cluster_block_exception", adviceBlock},
		{http.StatusTooManyRequests, "cluster_block_exception", adviceBlock},
		{http.StatusBadRequest, "validation_exception", adviceShards},
		{http.StatusNotFound, "index_not_found_exception", adviceNoIndex},
		{http.StatusNotFound, "", adviceAddress},
		{http.StatusFound, "", adviceAddress},
		{http.StatusRequestTimeout, "", ""},
		{http.StatusTooManyRequests, "", ""},
		{http.StatusServiceUnavailable, "", ""},
		{http.StatusTooManyRequests, "circuit_breaking_exception", ""},
	} {
		assert.Equal(t, tt.want, adviceOnStatus(tt.status, tt.kind), "%d %s", tt.status, tt.kind)
	}
	assert.Equal(t, adviceCertificate, adviceOnError(fmt.Errorf("dial: %w", &tls.CertificateVerificationError{Err: errors.New("x")})))
	assert.Empty(t, adviceOnError(errors.New("connection refused")))
}

func TestAdviceOnSetup(t *testing.T) {
	assert.Equal(t, adviceLogin, adviceOnSetup(fmt.Errorf("set up: %w", &setup.StatusError{Status: http.StatusUnauthorized})))
	assert.Equal(t, adviceCertificate, adviceOnSetup(fmt.Errorf("set up: %w", networkFailure(&tls.CertificateVerificationError{Err: errors.New("x")}))))
	assert.Empty(t, adviceOnSetup(errors.New("an answer that is not OpenSearch's")))
}

func TestHoldingSaysWhatToDo(t *testing.T) {
	unauthorized := status(http.StatusUnauthorized, "Unauthorized")
	node := newFakeNode(t)
	node.faults = []fault{unauthorized, unauthorized}
	r := start(t, testConfig(), newTestHost(t))
	_, _, err := post(t.Context(), r.client(t), node.URL, bulk("l", logDoc("a", "t")))
	require.NoError(t, err)
	held := r.logs.FilterMessageSnippet("holding them").All()
	require.Len(t, held, 1)
	assert.Equal(t, map[string]any{"reason": "refused", "failure": "status 401", "advice": adviceLogin}, held[0].ContextMap())
}

func TestAnotherReasonIsToldOnceAMinute(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	telemetry, err := metadata.NewTelemetryBuilder(tel.NewTelemetrySettings())
	require.NoError(t, err)
	core, logs := observer.New(zap.DebugLevel)
	h := newOutage(testConfig().Retry, zap.New(core), telemetry)
	away, refused := failure{reason: reasonUnreachable}, failure{reason: reasonRefused, advice: adviceLogin}
	h.logFailure(away)
	h.logFailure(refused)
	assert.Equal(t, 1, logs.Len())
	h.loggedAt = h.loggedAt.Add(-2 * time.Minute)
	h.logFailure(away)
	assert.Equal(t, 1, logs.Len())
	h.logFailure(refused)
	h.logFailure(refused)
	assert.Equal(t, 1, logs.FilterMessageSnippet("for another reason").Len())
}
