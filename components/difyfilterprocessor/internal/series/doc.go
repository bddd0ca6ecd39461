// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package series bounds the processes and time series that the Prometheus exporter keeps in memory, and drops the
// points that it could not expose: those whose name or labels belong to another series already.
package series
