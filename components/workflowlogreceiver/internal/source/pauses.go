// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package source

// PausesSQL returns the statement that reads pauses, up to its condition. It never reads the content of a form. A run
// that waits for several people has several reasons: the first in the order of the alphabet counts.
func (s *Schema) PausesSQL() string {
	reason, node, expires := "NULL", "NULL", "NULL"
	if s.Reads(PartPauseReasons) {
		reason = "(SELECT MIN(r.type) FROM workflow_pause_reasons r WHERE r.pause_id = p.id)"
		node = "(SELECT MIN(r.node_id) FROM workflow_pause_reasons r WHERE r.pause_id = p.id)"
	}
	if s.Reads(PartForms) && s.FormsByRun {
		expires = "(SELECT MIN(f.expiration_time) FROM human_input_forms f WHERE f.workflow_run_id = p.workflow_run_id " +
			"AND f.status = 'waiting')"
	}
	return "SELECT p.workflow_run_id, p.created_at, p.resumed_at, " + reason + ", " + node + ", " + expires +
		" FROM workflow_pauses p WHERE "
}

// ReadsPauses reports whether pauses can be read, and by an index.
func (s *Schema) ReadsPauses() bool { return s.Reads(PartPauses) && s.PausesByRun }
