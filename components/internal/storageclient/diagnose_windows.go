// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package storageclient

import "github.com/otelcol-dify/otelcol-dify/doctor/check"

// Diagnose checks nothing on this system.
func Diagnose(id, dir string) check.Result { return check.Skipped("storage: "+id, "not on this system") }
