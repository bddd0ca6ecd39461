// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// No error quotes the password, whatever the URL.
func FuzzParseBroker(f *testing.F) {
	const secret = "sEcr3t-of-the-fuzz-test"
	for _, form := range []string{
		"redis://:SECRET@redis:6379/1", "rediss://user:SECRET@[::1]:6379/1?ssl_cert_reqs=CERT_REQUIRED",
		"sentinel://:SECRET@a:26379/1;sentinel://:SECRET@b:26379/1", "redis+socket://:SECRET@/run/redis.sock?virtual_host=1",
		"redis://:p@SECRET/x@h:1", "amqp://SECRET@h", "redis://h:SECRET/SECRET?ssl_check_hostname=SECRET", "%zz://SECRET",
	} {
		f.Add(form)
	}
	f.Fuzz(func(t *testing.T, form string) {
		_, err := parseBroker(strings.ReplaceAll(form, "SECRET", secret))
		if err != nil {
			assert.NotContains(t, err.Error(), secret)
		}
	})
}
