// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package difyfilterprocessor makes Dify's telemetry true: it drops what is noise by named rules and counts it, repairs
// what Dify says wrongly or not at all (process identity, role, status, names, ids), and redacts content and secrets.
// Items in are always items out plus items counted as dropped, and to run it twice is to run it once.
package difyfilterprocessor
