// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package limits bounds what a client can send, and repairs what exporters or back ends would reject as a whole because
// of one bad part. Each cut is counted by its limit, and the item that it was made in is marked with dify.limited.
//
// The work is linear in the size of the data. Limiting data a second time changes nothing.
package limits
