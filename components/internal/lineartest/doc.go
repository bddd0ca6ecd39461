// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package lineartest checks that the time of a scanner grows with its input, and no faster, whatever the input is.
package lineartest
