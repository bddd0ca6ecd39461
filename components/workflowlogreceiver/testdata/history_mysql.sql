-- Runs that ended in the last month, of a hundred apps, each with an app log and a model's node; and as many messages.
INSERT INTO tenants (id, name) VALUES ('11111111-1111-4111-8111-111111111111', 'Acme');

INSERT INTO workflow_runs (id, tenant_id, app_id, workflow_id, type, triggered_from, version, graph, inputs, status, outputs,
       elapsed_time, total_tokens, total_steps, created_by_role, created_by, created_at, finished_at, exceptions_count)
SELECT CONCAT(SUBSTR(MD5(seq), 1, 8), '-0000-4000-8000-', LPAD(seq, 12, '0')), '11111111-1111-4111-8111-111111111111',
       CONCAT('22222222-2222-4222-8222-', LPAD(seq % 100, 12, '0')), '44444444-4444-4444-8444-444444444444', 'workflow', 'app-run', '1',
       REPEAT('graph ', 40), '{}', 'succeeded', '{}', 1.5, 90, 3, 'end_user', '33333333-3333-4333-8333-333333333333',
       UTC_TIMESTAMP() - INTERVAL 30 DAY + INTERVAL seq * 29 * 86400 DIV 200000 SECOND,
       UTC_TIMESTAMP() - INTERVAL 30 DAY + INTERVAL seq * 29 * 86400 DIV 200000 SECOND, 0
FROM seq_1_to_200000;

INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, created_by_role, created_by)
SELECT CONCAT(SUBSTR(id, 1, 8), '-1111', SUBSTR(id, 14)), tenant_id, app_id, workflow_id, id, 'service-api', created_by_role, created_by FROM workflow_runs;

INSERT INTO workflow_node_executions (id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, `index`, node_id, node_type,
       title, process_data, status, execution_metadata, created_by_role, created_by)
SELECT CONCAT(SUBSTR(id, 1, 8), '-2222', SUBSTR(id, 14)), tenant_id, app_id, workflow_id, 'workflow-run', id, 1, 'n', 'llm', 'Title',
       'secret', 'succeeded', '{"total_tokens": 90}', created_by_role, created_by FROM workflow_runs;

INSERT INTO messages (id, app_id, model_provider, model_id, conversation_id, inputs, query, message, message_unit_price, answer,
       answer_unit_price, currency, from_source, created_at, message_tokens)
SELECT CONCAT(SUBSTR(id, 1, 8), '-3333', SUBSTR(id, 14)), app_id, 'openai', 'gpt-4o', id, '{}', 'secret', '{}', 0, 'secret', 0, 'USD', 'api', created_at, 5
FROM workflow_runs;

ANALYZE TABLE workflow_runs, workflow_app_logs, workflow_node_executions, messages;
