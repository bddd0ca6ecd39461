// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
		assert.Equal(t, tt.want, AdviceOnStatus(tt.status, tt.kind), "%d %s", tt.status, tt.kind)
	}
	assert.Equal(t, adviceCertificate,
		adviceOnError(fmt.Errorf("dial: %w", &tls.CertificateVerificationError{Err: errors.New("x")})))
	assert.Equal(t, "nothing listens there; check the host and the port, and that the server runs; the address is "+
		"OTELCOL_OPENSEARCH_URL (`http::endpoint` of the exporter and of opensearch_bulk)",
		adviceOnError(errors.New("connection refused")))
	assert.Equal(t, "the server does not use TLS; use http:// in OTELCOL_OPENSEARCH_URL (`http::endpoint` of the exporter "+
		"and of opensearch_bulk)", adviceOnError(errors.New("http: server gave HTTP response to HTTPS client")))
	assert.Empty(t, adviceOnError(errors.New("anything else")))
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestNetworkFailureHidesTheURL(t *testing.T) {
	client := NewClient(&http.Client{Transport: roundTripperFunc(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("refused")
	})}, "http://user:secret@127.0.0.1:1", nil)
	resp, err := client.send(t.Context(), nil)
	if resp != nil {
		require.NoError(t, resp.Body.Close())
	}
	require.Error(t, err)
	assert.Equal(t, "refused", NetworkFailure(err).Text)
}

func TestStatusFailureRespectsRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		"-1":                            0,
		"soon":                          0,
		"86400":                         maxRetryAfter,
		"Mon, 23 Nov 2009 09:00:00 GMT": 0,
	} {
		f := statusFailure(http.StatusServiceUnavailable, http.Header{"Retry-After": []string{value}}, nil)
		assert.Equal(t, want, f.after, value)
	}
}
