// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package workflowlogreceiver emits one log record with the outcome of every run of a Dify workflow, and exact
// counters of those runs. It reads Dify's database by indexed access only, keeps its position in a storage extension,
// and advances that position only after the pipeline has accepted the records.
package workflowlogreceiver
