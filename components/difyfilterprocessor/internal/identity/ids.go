// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// IDs are the IDs of an app, which node spans lack. Unknown IDs are empty.
type IDs struct{ Tenant, App, Workflow string }

// Merge sets the missing IDs from other, unless other belongs to another app.
func (i *IDs) Merge(other IDs) {
	if i.App != "" && other.App != "" && i.App != other.App {
		return
	}
	for _, id := range [...]struct {
		to   *string
		from string
	}{{&i.Tenant, other.Tenant}, {&i.App, other.App}, {&i.Workflow, other.Workflow}} {
		if *id.to == "" {
			*id.to = id.from
		}
	}
}

// Complete reports whether all IDs are known.
func (i *IDs) Complete() bool { return i.Tenant != "" && i.App != "" && i.Workflow != "" }

// IDsOf returns the IDs in the attributes of a span.
func IDsOf(attributes pcommon.Map) IDs {
	found := IDs{
		Tenant:   attrs.Text(attributes, difysemconv.AttrTenantID),
		App:      attrs.Text(attributes, difysemconv.AttrAppID),
		Workflow: attrs.Text(attributes, difysemconv.AttrWorkflowID),
	}
	if found.Workflow == "unknown" { // Dify writes it for an absent ID
		found.Workflow = ""
	}
	return found
}

// RenameIDs renames the attributes in which older versions of Dify, and the plugin daemon, write the tenant and the
// user.
func RenameIDs(attributes pcommon.Map, from emitter.Origin) {
	attrs.Rename(attributes, difysemconv.AttrOldTenantID, difysemconv.AttrTenantID)
	attrs.Rename(attributes, difysemconv.AttrOldUserID, attrs.UserID)
	if from == emitter.PluginDaemon {
		attrs.Rename(attributes, difysemconv.AttrDaemonTenantID, difysemconv.AttrTenantID)
	}
}
