// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package deliver sends the documents of bulk requests to OpenSearch until each of them is accepted, a dead letter, or
// stored. It uses packages bulkapi and store, and is used by setup for the retries.
package deliver
