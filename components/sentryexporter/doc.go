// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package sentryexporter tells Sentry what went wrong, by DSN alone: recorded exceptions and failed workflow runs become
// error events (issues), spans become transactions and log records become Sentry logs. An exception leaves at once and
// once, under an id made from the exception itself, however many spans recorded it; a failed run is told only if none of
// its exceptions was. Spans wait for their root, for a while and in bounded memory. What Sentry accepted is not sent again, what it limits or a full queue cannot hold is counted and
// reported to it.
package sentryexporter
