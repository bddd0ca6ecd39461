// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package containerlog

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
)

// Keys of Docker's fluentd logging driver. A record with the first two is a line of a container. The record that is
// made from it has container.id instead, so that it is not processed again.
const (
	driverContainerID   = "container_id"
	driverContainerName = "container_name"
	driverSource        = "source"
	driverPartial       = "partial_message"
	driverPartialLast   = "partial_last"
)

// rawLine is a line as the driver sends it: one of a container's standard output or error, or a part of a long one.
type rawLine struct {
	container, name, source string
	text                    string
	cut                     bool // its parts exceeded the size of an entry
	partial, last           bool
	at                      pcommon.Timestamp // when Docker read it, by default in whole seconds
	attributes              pcommon.Map       // all other attributes of the record
	res                     pcommon.Map
}

func rawLineOf(res pcommon.Map, record plog.LogRecord) (rawLine, bool) {
	attributes := record.Attributes()
	id, name := attrs.Text(attributes, driverContainerID), attrs.Text(attributes, driverContainerName)
	if id == "" || name == "" || record.Body().Type() != pcommon.ValueTypeStr {
		return rawLine{}, false
	}
	return rawLine{
		container: id, name: strings.TrimPrefix(name, "/"), source: attrs.Text(attributes, driverSource),
		text:    strings.TrimRight(record.Body().Str(), "\r\n"),
		partial: attrs.Text(attributes, driverPartial) == "true", last: attrs.Text(attributes, driverPartialLast) == "true",
		at: record.Timestamp(), attributes: attributes, res: res,
	}, true
}
