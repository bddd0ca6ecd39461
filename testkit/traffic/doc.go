// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package traffic makes what a busy Dify says about itself: the spans and metrics of its processes, the rows of its runs
// and the tasks in its Celery queues, in the shape that was recorded from a real one. What it makes depends on the
// seed and on the times it is given, never on the wall clock, and it says what must arrive where.
package traffic
