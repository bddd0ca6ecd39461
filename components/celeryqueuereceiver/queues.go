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

// Names of keys in kombu's Redis transport.
const (
	unackedKey    = "unacked"
	separator     = "\x06\x16"      // its default
	workerMailbox = "celery.pidbox" // the exchange that every worker declares for its remote control
)

// prioritySteps are kombu's default steps. A queue has a list for each; the first has the queue's plain name.
var prioritySteps = [...]string{"", separator + "3", separator + "6", separator + "9"}

// queueKeys returns the keys of the lists with a queue's tasks.
func queueKeys(prefix, queue string) []string {
	keys := make([]string, 0, len(prioritySteps))
	for _, step := range prioritySteps {
		keys = append(keys, prefixed(prefix, queue+step))
	}
	return keys
}

// bindingKey returns the key of the set of queues that are bound to an exchange. Celery gives each queue an exchange
// of the same name.
func bindingKey(exchange string) string {
	return "_kombu.binding." + exchange
}

// prefixed returns a key as kombu writes it with Celery's global_keyprefix, which Dify sets to its own prefix and a
// colon.
func prefixed(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + ":" + key
}
