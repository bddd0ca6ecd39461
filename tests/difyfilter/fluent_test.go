// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"testing"
	"time"

	"github.com/fluent/fluent-logger-golang/fluent"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// driver sends lines as Docker's fluentd logging driver does, with the driver's own library.
type driver struct {
	client *fluent.Fluent
}

func (s *stack) newDriver(t *testing.T) *driver {
	t.Helper()
	client, err := fluent.New(fluent.Config{FluentHost: "127.0.0.1", FluentPort: s.fluent, SubSecondPrecision: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return &driver{client: client}
}

// docker cuts lines longer than this.
const maxLine = 16 << 10

// write sends what a container's process wrote at once, without the last line break.
func (d *driver) write(t *testing.T, at time.Time, container, source, line string) {
	t.Helper()
	message := func(text string) map[string]string {
		return map[string]string{
			"container_id":   container + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			"container_name": "/" + container, "source": source, "log": text,
		}
	}
	if len(line) <= maxLine {
		require.NoError(t, d.client.PostWithTime(container, at, message(line)))
		return
	}
	for part := 1; line != ""; part++ {
		n := min(maxLine, len(line))
		m := message(line[:n])
		line = line[n:]
		m["partial_message"], m["partial_id"] = "true", "0123456789abcdef"
		m["partial_ordinal"] = string(rune('0' + part))
		m["partial_last"] = map[bool]string{true: "true", false: "false"}[line == ""]
		require.NoError(t, d.client.PostWithTime(container, at, m))
	}
}
