// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"testing"

	"github.com/otelcol-dify/otelcol-dify/components/internal/lineartest"
)

func TestBrokerURLIsReadInLinearTime(t *testing.T) {
	for _, before := range []string{"", "redis://", "sentinel://:a@b:1/1;", "redis://h:1/1?"} {
		lineartest.CheckText(t, func(text string) { _, _ = parseBroker(before + text) }, ";sentinel://:a@b:1/1", "&a=b")
	}
}
