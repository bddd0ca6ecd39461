// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package appowner has the tenant of each app as Dify's database has it. workflow_log writes it, and dify_filter reads
// it in the same process: what the database says wins over what telemetry says.
package appowner

import "sync"

// maxApps bounds a registry. When it is full, it is emptied; it fills again as apps are used.
const maxApps = 100_000

// Registry maps app IDs to tenant IDs. The zero Registry is empty. It is safe for concurrent use.
type Registry struct {
	mu      sync.RWMutex
	tenants map[string]string // guarded by mu
}

// Database is the registry of all databases that this process reads. IDs of apps are UUIDs, so that those of several
// installations do not collide.
var Database Registry

// Set stores the tenant of an app.
func (r *Registry) Set(app, tenant string) {
	if app == "" || tenant == "" {
		return
	}
	if known, ok := r.Tenant(app); ok && known == tenant {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tenants == nil || len(r.tenants) >= maxApps {
		r.tenants = map[string]string{}
	}
	r.tenants[app] = tenant
}

// Tenant returns the tenant of an app, if it is known.
func (r *Registry) Tenant(app string) (string, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	tenant, ok := r.tenants[app]
	return tenant, ok
}
