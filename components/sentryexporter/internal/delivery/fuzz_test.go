// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// No error quotes a DSN, whatever it is: its key is a secret.
func FuzzParseDSN(f *testing.F) {
	const secret = "0123456789abcdef0123456789abcdef"
	for _, form := range []string{
		"https://KEY@o1.ingest.sentry.io/2", "https://KEY:KEY@sentry.example/path/3", "KEY", "://KEY@", "ftp://KEY@h/1",
		"https://KEY@h:KEY/1", "https://KEY@h/KEY", "https://%KEY@h/1", "https://@h/1?KEY", "https://KEY\x7f@h/1",
	} {
		f.Add(form)
	}
	f.Fuzz(func(t *testing.T, form string) {
		_, err := ParseDSN(strings.ReplaceAll(form, "KEY", secret))
		if err != nil {
			assert.NotContains(t, err.Error(), secret)
		}
	})
}
