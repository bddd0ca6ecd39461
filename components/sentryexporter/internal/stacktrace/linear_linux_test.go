// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"testing"

	"github.com/otelcol-dify/otelcol-dify/components/internal/lineartest"
)

func TestStackTracesAreReadInLinearTime(t *testing.T) {
	lineartest.CheckText(t, func(text string) { Parse(text) },
		"Caused by: ", "Suppressed: ", "\tat a.b(C.java:1)\n", "goroutine 1 [running]:\n", "panic: ", "    at f (x.js:1:1)\n",
		"[cause]: ", "[errors]: [", "  + Exception Group Traceback (most recent call last):\n", "  +-+---------------- 1 ----------------\n",
		"The above exception was the direct cause of the following exception:\n", "RemoteTraceback: \n\"\"\"\n", "... 1 more\n",
		"#0 x(1): y()\n", "from x:1:in 'y'\n",
	)
	lineartest.CheckText(t, func(text string) { SplitType(text) })
}
