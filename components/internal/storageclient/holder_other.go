// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package storageclient

// holder would name the process that has the file locked.
func holder(string) string { return otherProcess }
