// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package bulkapi reads and writes OpenSearch's bulk API: it gives each document of a request its id, index and day,
// and reads what OpenSearch responds about each of them. It does no I/O.
package bulkapi
