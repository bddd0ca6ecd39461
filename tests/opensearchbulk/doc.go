// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package opensearchbulk tests what opensearch_bulk sets up: in a real OpenSearch, from the built binary with the
// shipped configuration. What it delivers is tested in the folder delivery.
package opensearchbulk
