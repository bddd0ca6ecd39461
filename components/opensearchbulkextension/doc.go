// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package opensearchbulkextension makes the stock OpenSearch exporter lossless. As a middleware of its HTTP client it
// retries each bulk request until OpenSearch has decided about every document, gives every document an id, an index
// and a time of its own, and keeps what is in flight in storage when the collector stops during an outage.
package opensearchbulkextension
