// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/deliver"
)

func TestAdvice(t *testing.T) {
	assert.Equal(t, deliver.AdviceOnStatus(http.StatusUnauthorized, ""),
		advice(fmt.Errorf("set up: %w", &StatusError{Status: http.StatusUnauthorized})))
	untrusted := deliver.NetworkFailure(&tls.CertificateVerificationError{Err: errors.New("x")})
	assert.NotEmpty(t, untrusted.Advice)
	assert.Equal(t, untrusted.Advice, advice(fmt.Errorf("set up: %w", untrusted)))
	assert.Empty(t, advice(errors.New("a response that is not OpenSearch's")))
}
