-- Runs that ended in the last month, of a hundred apps, each with an app log, a start node and a model's node.
-- {runs} is replaced by their number.
CREATE TEMP TABLE history AS
SELECT gen_random_uuid() AS id, gen_random_uuid() AS flow, i % 100 AS n,
       ('22222222-2222-4222-8222-' || lpad((i % 100)::text, 12, '0'))::uuid AS app,
       timezone('UTC', now()) - interval '30 days' + i * (interval '29 days' / {runs}) AS at
FROM generate_series(1, {runs}) AS i;

INSERT INTO tenants (id, name) VALUES ('11111111-1111-4111-8111-111111111111', 'Acme');

INSERT INTO apps (id, tenant_id, name, mode, enable_site, enable_api)
SELECT DISTINCT app, '11111111-1111-4111-8111-111111111111'::uuid, 'App ' || n, 'workflow', true, true FROM history;

INSERT INTO workflow_runs (id, tenant_id, app_id, workflow_id, type, triggered_from, version, graph, inputs, status, outputs,
       elapsed_time, total_tokens, total_steps, created_by_role, created_by, created_at, finished_at, exceptions_count)
SELECT id, '11111111-1111-4111-8111-111111111111', app, flow, 'workflow', 'app-run', '1', repeat('graph ', 40), '{"query": "secret"}',
       'succeeded', '{"text": "secret"}', 1.5, 90, 3, 'end_user', '33333333-3333-4333-8333-333333333333', at, at + interval '1.5 s', 0
FROM history;

INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, created_by_role, created_by, created_at)
SELECT gen_random_uuid(), '11111111-1111-4111-8111-111111111111', app, flow, id, 'service-api', 'end_user',
       '33333333-3333-4333-8333-333333333333', date_trunc('second', at)
FROM history;

INSERT INTO workflow_node_executions (id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, index, node_id, node_type,
       title, inputs, process_data, outputs, status, execution_metadata, elapsed_time, created_by_role, created_by, created_at, finished_at)
SELECT gen_random_uuid(), '11111111-1111-4111-8111-111111111111', app, flow, 'workflow-run', id, node, 'node ' || node,
       CASE node WHEN 1 THEN 'start' ELSE 'llm' END, 'Title', '{}', '{"prompts": "secret"}', '{}', 'succeeded',
       CASE node WHEN 2 THEN '{"total_tokens": 90, "total_price": "0.0001", "currency": "USD"}' END,
       1, 'end_user', '33333333-3333-4333-8333-333333333333', at, at + interval '1 s'
FROM history, generate_series(1, 2) AS node;

DROP TABLE history;
