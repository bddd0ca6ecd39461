// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package workflowlogreceiver tells the outcome of every run of a Dify workflow, once, as a log record, and keeps
// exact counters of them. It reads Dify's database by indexed access only, remembers in a storage extension where it
// stands, and moves that mark only after the pipeline took what it told.
package workflowlogreceiver
