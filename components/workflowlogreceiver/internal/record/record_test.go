// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
)

func TestUIDIsAUUIDByName(t *testing.T) {
	for _, id := range []string{"", "8c2a3b1e-7a53-4a30-9d3a-0a4f7d1ad1c0", strings.Repeat("long", 100)} {
		assert.Equal(t, uuid.NewSHA1(namespace, []byte("dify.workflow.run/"+id)).String(), UID("dify.workflow.run", id))
	}
	assert.Equal(t, "842bf4ad-61ad-56fb-97fe-5f2886dc97b4", UID("dify.workflow.run", "a"), "it must never change")
}
