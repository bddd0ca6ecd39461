// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"testing"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/lineartest"
)

func TestBulkRequestsAreReadInLinearTime(t *testing.T) {
	rewriter := NewRewriter([]string{"tenant"}, time.Hour, FormatOTelV1)
	for name, scan := range map[string]func(string){
		"document":  func(text string) { _, _ = rewriter.Rewrite([]byte("{\"create\":{\"_index\":\"a\"}}\n"+text+"\n"), "") },
		"documents": func(text string) { _, _ = rewriter.Rewrite([]byte(text), "a") },
		"attribute": func(text string) {
			const action = `{"create":{"_index":"a-{tenant}"}}`
			_, _ = rewriter.Rewrite([]byte(action+"\n"+`{"attributes":{"tenant":"`+text+"\"}}\n"), "")
		},
		"response": func(text string) { _, _ = ReadResponse([]byte(text), nil) },
		"items":    func(text string) { _, _ = ReadResponse([]byte("{\"errors\":true,\"items\":["+text), nil) },
		"error":    func(text string) { _, _ = ReadError([]byte(text)) },
		"restored": func(text string) { _, _ = Restore([]byte(text), "dead") },
	} {
		t.Run(name, func(t *testing.T) {
			lineartest.CheckText(
				t, scan, "{\"create\":{}}\n{}\n", `{"create":{"_index":"a"}}`+"\n", `{"a":{}},`, `{"create":{"status":1}},`,
			)
		})
	}
}
