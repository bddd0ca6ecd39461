// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package celeryqueuereceiver reports how many tasks wait in each of Dify's Celery queues in Redis.
// A queue without a key is empty and reports 0; an error is a gap, never a number.
package celeryqueuereceiver
