// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/plog"
)

// What PostgreSQL's own log quotes is redacted as SQL elsewhere.
func TestLinesOfPostgreSQL(t *testing.T) {
	const head = "2026-11-23 08:37:53.110 UTC [77] "
	for _, line := range []string{
		"STATEMENT:  UPDATE endpoints SET settings = 'CONTENT' WHERE id = 7",
		"LOG:  duration: 224.5 ms  statement: SELECT * FROM messages WHERE query = 'CONTENT'",
		"LOG:  duration: 224.5 ms  execute <unnamed>: INSERT INTO messages VALUES ('CONTENT')",
		"DETAIL:  parameters: $1 = 'a', $2 = 'CONTENT'",
		`CONTEXT:  JSON data, line 1: {"query": "CONTENT...`,
	} {
		t.Run(line, func(t *testing.T) {
			ld := plog.NewLogs()
			rl := ld.ResourceLogs().AppendEmpty()
			rl.Resource().Attributes().PutStr("service.name", "postgres")
			rl.Resource().Attributes().PutStr("container.name", "docker-db_postgres-1")
			rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(head + line)
			out := newHarness(t).logs(t, ld)
			body := out.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str()
			assert.NotContains(t, body, "CONTENT")
			assert.Contains(t, body, line[:9], "the line itself is kept")
		})
	}
}
