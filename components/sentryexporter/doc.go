// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package sentryexporter sends errors, transactions and logs to Sentry, with nothing but a DSN. Recorded exceptions and
// failed workflow runs become error events, from which Sentry makes issues; spans become transactions, and log records
// become Sentry logs.
//
// An exception is sent immediately, and once, however many spans recorded it. A failed run is reported only if none
// of its exceptions was. Spans wait for their root, for a limited time and in bounded memory. What Sentry accepted is
// not sent again; what it limits, or what finds no room in a queue, is counted and reported to Sentry.
//
// On its way, telemetry passes conversion.go (what it becomes, given what was seen before and what is pending),
// internal/convert (which is pure), shared.go (deduplication) and internal/delivery (queue, push, post).
package sentryexporter
