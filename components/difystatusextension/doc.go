// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package difystatusextension serves a page, and the same as JSON, that shows how everything is: who sends, how far the
// tail of Dify's database is, what waits for which back end, and what was dropped. It reads the collector's own metrics
// and the status that components report. It changes nothing, and what it shows has no content of Dify's users.
package difystatusextension
