// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDSNErrorsHideTheKey has DSNs for which URL errors quote their input.
func TestDSNErrorsHideTheKey(t *testing.T) {
	for _, dsn := range []string{
		"https://secretkey@host:port/1", "https://secretkey@[::1/1", "https://secretkey@host/%zz", "://secretkey@host/1",
		"https://secretkey@host /1", "ftp://secretkey@host/1", "https://secretkey@host/\x7f1",
		"https://secretkey:pass%word@host/1",
		"https://secretkey@host/", "https://secretkey@/1", "secretkey", "https://secretkey@host/secretkey",
	} {
		_, err := ParseDSN(dsn)
		require.Error(t, err, dsn)
		assert.NotContains(t, err.Error(), "secretkey", dsn)
	}
}

func TestParseDSN(t *testing.T) {
	for dsn, want := range map[string]DSN{
		"https://key@o1.ingest.sentry.io/42": {
			URL: "https://o1.ingest.sentry.io/api/42/envelope/", Host: "o1.ingest.sentry.io", Project: "o1.ingest.sentry.io/42",
		},
		"http://key:secret@host:9000/path/to/7": {
			URL: "http://host:9000/path/to/api/7/envelope/", Host: "host", Project: "host:9000/path/to/7",
		},
		"http://key@[::1]:9000/7": {
			URL: "http://[::1]:9000/api/7/envelope/", Host: "::1", Project: "[::1]:9000/7",
		},
	} {
		got, err := ParseDSN(dsn)
		require.NoError(t, err)
		auth := got.auth("client/1.2")
		assert.True(t, strings.HasPrefix(auth, "Sentry sentry_version=7, sentry_client=client/1.2, sentry_key=key"), auth)
		assert.Equal(t, strings.Contains(dsn, "secret"), strings.HasSuffix(auth, ", sentry_secret=secret"))
		got.publicKey, got.secretKey = "", ""
		assert.Equal(t, want, got)
	}
}
