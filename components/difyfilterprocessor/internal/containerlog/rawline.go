// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package containerlog

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/logline"
)

// rawLine is a line of a container's standard output or error, or of a file, or a part of a long one.
type rawLine struct {
	source
	text          string
	cut           bool // its parts exceeded the size of an entry
	partial, last bool
	at            pcommon.Timestamp // when it was read; Docker sends whole seconds by default
	attributes    pcommon.Map       // of the record
	res           pcommon.Map
}

// rawLineOf returns the line that a record is, if it comes from one of the known senders and was not processed yet.
func rawLineOf(res pcommon.Map, record plog.LogRecord) (rawLine, bool) {
	if record.Body().Type() != pcommon.ValueTypeStr {
		return rawLine{}, false
	}
	raw := rawLine{at: record.Timestamp(), attributes: record.Attributes(), res: res}
	switch {
	case raw.readDocker(), raw.readFluentBit():
	case record.SeverityNumber() == plog.SeverityNumberUnspecified && raw.readFile():
		if raw.at == 0 {
			raw.at = record.ObservedTimestamp()
		}
	default:
		return rawLine{}, false
	}
	raw.text = logline.StripColors(strings.TrimRight(record.Body().Str(), "\r\n"))
	return raw, true
}
