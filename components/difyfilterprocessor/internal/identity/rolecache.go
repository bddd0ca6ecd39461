// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

// RoleCache remembers the roles of processes by service.instance.id. It is safe for concurrent use.
type RoleCache struct {
	mu    sync.Mutex
	roles *expiring.Map[string, string] // guarded by mu
}

// NewRoleCache returns a cache of at most limit processes.
func NewRoleCache(limit int, ttl time.Duration) *RoleCache {
	return &RoleCache{roles: expiring.NewMap[string, string](limit, ttl)}
}

// Remember stores the role that was seen, if any, and returns the current role of a process.
func (c *RoleCache) Remember(instance, seen string, now time.Time) string {
	if instance == "" {
		return seen
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.roles.Get(instance, now)
	if seen == "" || (ok && known == seen) {
		return known
	}
	c.roles.Set(instance, seen, now)
	return seen
}

// SetRole sets the role on a resource and returns it: the role that the operator set, else the role by what the
// process does in this batch (seen) or an earlier one, else the role by its names. The cache has only roles by what
// processes do, since the name of a host can mislead.
func (c *RoleCache) SetRole(res pcommon.Map, from emitter.Origin, seen string, now time.Time) string {
	role := ""
	if from == emitter.SDK && !attrs.Has(res, difysemconv.AttrRole) {
		role = c.Remember(attrs.Text(res, attrs.ServiceInstanceID), seen, now)
	}
	if role == "" && !attrs.Has(res, difysemconv.AttrRole) {
		role = RoleByNames(res, from)
	}
	return SetRole(res, role)
}
