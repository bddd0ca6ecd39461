// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package appowner

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRegistry(t *testing.T) {
	var r Registry
	_, ok := r.Tenant("a")
	assert.False(t, ok)
	r.Set("a", "t")
	r.Set("b", "")
	r.Set("", "t")
	tenant, ok := r.Tenant("a")
	assert.True(t, ok)
	assert.Equal(t, "t", tenant)
	r.Set("a", "u")
	tenant, _ = r.Tenant("a")
	assert.Equal(t, "u", tenant, "the database may be restored under another tenant")
	for i := range 2 * maxApps {
		r.Set("app"+strconv.Itoa(i), "t")
	}
	assert.LessOrEqual(t, len(r.tenants), maxApps)
}
