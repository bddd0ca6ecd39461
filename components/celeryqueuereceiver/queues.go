// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

// defaultQueues are the queues that a self-hosted Dify sends tasks to: those that its worker reads by default
// (api/docker/entrypoint.sh, Dify 1.9 to 1.17), then those that no default worker reads and that therefore only grow.
func defaultQueues() []string {
	return []string{
		"api_token", "app_deletion", "app_rbac", "conversation", "dataset", "dataset_summary", "mail", "ops_trace",
		"pipeline", "plugin", "priority_dataset", "priority_pipeline", "retention", "schedule_executor",
		"schedule_poller", "trigger_refresh_executor", "trigger_refresh_publisher", "triggered_workflow_dispatcher",
		"workflow", "workflow_based_app_execution", "workflow_storage",

		"enterprise_telemetry", "monitor", "new_agent_beta", "workflow_archive", "workflow_draft_var",
	}
}

// prioritySuffixes name the lists that kombu's Redis transport keeps for one queue: its default separator and its
// default priority steps. The first is the queue's plain name.
var prioritySuffixes = [...]string{"", "\x06\x163", "\x06\x166", "\x06\x169"}

// queueKeys are the keys of the lists that hold queue's tasks. Celery's global_keyprefix is put in front by kombu,
// and Dify writes it as its own prefix and a colon.
func queueKeys(prefix, queue string) []string {
	if prefix != "" {
		prefix += ":"
	}
	keys := make([]string, 0, len(prioritySuffixes))
	for _, suffix := range prioritySuffixes {
		keys = append(keys, prefix+queue+suffix)
	}
	return keys
}
