// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package limits bounds what a client can send: each bound is a configuration key, and each cut is counted and marked.
// It has no code yet.
package limits
