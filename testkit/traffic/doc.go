// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package traffic generates the telemetry of a busy Dify: the spans and metrics of its processes, the rows of its
// runs and the tasks in its Celery queues, in the shape that was recorded from a real one. The output depends on the
// seed and on the given times, never on the wall clock. It includes what must arrive at each destination.
package traffic
