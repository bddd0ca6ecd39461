// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package difyfilterprocessor corrects Dify's telemetry. It drops noise by named rules and counts what it dropped,
// repairs what Dify reports wrongly or not at all (process identity, role, status, names, IDs), and redacts content
// and secrets.
//
// Two properties hold for any input: the number of items in equals the number of items out plus the number of items
// counted as dropped, and processing data a second time changes nothing.
package difyfilterprocessor
