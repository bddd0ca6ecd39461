-- The part of Dify's database that telemetry is read from: tables, columns, types and indexes as Dify's migrations leave
-- them in PostgreSQL (main of August 2026, after 1.16.1). Two differences: ids default to gen_random_uuid(), which needs no
-- extension, and uuidv7() is a stand-in that returns the same kind of value. Dify's application supplies ids by itself.

CREATE FUNCTION uuidv7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
          || '8' || substr(md5(random()::text), 1, 15))::uuid $$;

CREATE TABLE apps (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    name character varying(255) NOT NULL,
    mode character varying(255) NOT NULL,
    icon character varying(255),
    icon_background character varying(255),
    app_model_config_id uuid,
    status character varying(255) DEFAULT 'normal'::character varying NOT NULL,
    enable_site boolean NOT NULL,
    enable_api boolean NOT NULL,
    api_rpm integer DEFAULT 0 NOT NULL,
    api_rph integer DEFAULT 0 NOT NULL,
    is_demo boolean DEFAULT false NOT NULL,
    is_public boolean DEFAULT false NOT NULL,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP(0) NOT NULL,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP(0) NOT NULL,
    is_universal boolean DEFAULT false NOT NULL,
    workflow_id uuid,
    description text DEFAULT ''::character varying NOT NULL,
    tracing text,
    max_active_requests integer,
    icon_type character varying(255),
    created_by uuid,
    updated_by uuid,
    use_icon_as_answer_icon boolean DEFAULT false NOT NULL,
    maintainer uuid
);

CREATE TABLE end_users (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    app_id uuid,
    type character varying(255) NOT NULL,
    external_user_id character varying(255),
    name character varying(255),
    is_anonymous boolean DEFAULT true NOT NULL,
    session_id character varying(255) NOT NULL,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP(0) NOT NULL,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP(0) NOT NULL
);

CREATE TABLE messages (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    app_id uuid NOT NULL,
    model_provider character varying(255),
    model_id character varying(255),
    override_model_configs text,
    conversation_id uuid NOT NULL,
    inputs json NOT NULL,
    query text NOT NULL,
    message json NOT NULL,
    message_tokens integer DEFAULT 0 NOT NULL,
    message_unit_price numeric(10,4) NOT NULL,
    answer text NOT NULL,
    answer_tokens integer DEFAULT 0 NOT NULL,
    answer_unit_price numeric(10,4) NOT NULL,
    provider_response_latency double precision DEFAULT 0 NOT NULL,
    total_price numeric(10,7),
    currency character varying(255) NOT NULL,
    from_source character varying(255) NOT NULL,
    from_end_user_id uuid,
    from_account_id uuid,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP(0) NOT NULL,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP(0) NOT NULL,
    agent_based boolean DEFAULT false NOT NULL,
    message_price_unit numeric(10,7) DEFAULT 0.001 NOT NULL,
    answer_price_unit numeric(10,7) DEFAULT 0.001 NOT NULL,
    workflow_run_id uuid,
    status character varying(255) DEFAULT 'normal'::character varying NOT NULL,
    error text,
    message_metadata text,
    invoke_from character varying(255),
    parent_message_id uuid,
    app_mode character varying(255)
);

CREATE TABLE tenants (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name character varying(255) NOT NULL,
    encrypt_public_key text,
    plan character varying(255) DEFAULT 'basic'::character varying NOT NULL,
    status character varying(255) DEFAULT 'normal'::character varying NOT NULL,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP(0) NOT NULL,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP(0) NOT NULL,
    custom_config text
);

CREATE TABLE workflow_app_logs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    workflow_run_id uuid NOT NULL,
    created_from character varying(255) NOT NULL,
    created_by_role character varying(255) NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP(0) NOT NULL
);

CREATE TABLE workflow_node_executions (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    triggered_from character varying(255) NOT NULL,
    workflow_run_id uuid,
    index integer NOT NULL,
    predecessor_node_id character varying(255),
    node_id character varying(255) NOT NULL,
    node_type character varying(255) NOT NULL,
    title character varying(255) NOT NULL,
    inputs text,
    process_data text,
    outputs text,
    status character varying(255) NOT NULL,
    error text,
    elapsed_time double precision DEFAULT 0 NOT NULL,
    execution_metadata text,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP(0) NOT NULL,
    created_by_role character varying(255) NOT NULL,
    created_by uuid NOT NULL,
    finished_at timestamp without time zone,
    node_execution_id character varying(255),
    agent_workspace_binding_id uuid
);

CREATE TABLE workflow_pauses (
    workflow_id uuid NOT NULL,
    workflow_run_id uuid NOT NULL,
    resumed_at timestamp without time zone,
    state_object_key character varying(255) NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE workflow_runs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    type character varying(255) NOT NULL,
    triggered_from character varying(255) NOT NULL,
    version character varying(255) NOT NULL,
    graph text,
    inputs text,
    status character varying(255) NOT NULL,
    outputs text,
    error text,
    elapsed_time double precision DEFAULT 0 NOT NULL,
    total_tokens bigint DEFAULT 0 NOT NULL,
    total_steps integer DEFAULT 0,
    created_by_role character varying(255) NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP(0) NOT NULL,
    finished_at timestamp without time zone,
    exceptions_count integer DEFAULT 0
);

CREATE TABLE workflow_trigger_logs (
    id uuid DEFAULT uuidv7() NOT NULL,
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    workflow_run_id uuid,
    root_node_id character varying(255),
    trigger_metadata text NOT NULL,
    trigger_type character varying(50) NOT NULL,
    trigger_data text NOT NULL,
    inputs text NOT NULL,
    outputs text,
    status character varying(50) NOT NULL,
    error text,
    queue_name character varying(100) NOT NULL,
    celery_task_id character varying(255),
    retry_count integer NOT NULL,
    elapsed_time double precision,
    total_tokens integer,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    created_by_role character varying(255) NOT NULL,
    created_by character varying(255) NOT NULL,
    triggered_at timestamp without time zone,
    finished_at timestamp without time zone
);
ALTER TABLE ONLY apps ADD CONSTRAINT app_pkey PRIMARY KEY (id);
ALTER TABLE ONLY end_users ADD CONSTRAINT end_user_pkey PRIMARY KEY (id);
ALTER TABLE ONLY messages ADD CONSTRAINT message_pkey PRIMARY KEY (id);
ALTER TABLE ONLY tenants ADD CONSTRAINT tenant_pkey PRIMARY KEY (id);
ALTER TABLE ONLY workflow_app_logs ADD CONSTRAINT workflow_app_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY workflow_node_executions ADD CONSTRAINT workflow_node_execution_pkey PRIMARY KEY (id);
ALTER TABLE ONLY workflow_pauses ADD CONSTRAINT workflow_pauses_pkey PRIMARY KEY (id);
ALTER TABLE ONLY workflow_pauses ADD CONSTRAINT workflow_pauses_workflow_run_id_key UNIQUE (workflow_run_id);
ALTER TABLE ONLY workflow_runs ADD CONSTRAINT workflow_run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY workflow_trigger_logs ADD CONSTRAINT workflow_trigger_log_pkey PRIMARY KEY (id);
CREATE INDEX app_tenant_id_idx ON apps USING btree (tenant_id);
CREATE INDEX app_tenant_maintainer_idx ON apps USING btree (tenant_id, maintainer);
CREATE INDEX end_user_session_id_idx ON end_users USING btree (session_id, type);
CREATE INDEX end_user_tenant_session_id_idx ON end_users USING btree (tenant_id, session_id, type);
CREATE INDEX message_account_idx ON messages USING btree (app_id, from_source, from_account_id);
CREATE INDEX message_app_id_idx ON messages USING btree (app_id, created_at);
CREATE INDEX message_app_mode_idx ON messages USING btree (app_mode);
CREATE INDEX message_conversation_id_idx ON messages USING btree (conversation_id);
CREATE INDEX message_created_at_id_idx ON messages USING btree (created_at, id);
CREATE INDEX message_end_user_idx ON messages USING btree (app_id, from_source, from_end_user_id);
CREATE INDEX message_workflow_run_id_idx ON messages USING btree (conversation_id, workflow_run_id);
CREATE INDEX workflow_app_log_app_idx ON workflow_app_logs USING btree (tenant_id, app_id);
CREATE INDEX workflow_app_log_workflow_run_id_idx ON workflow_app_logs USING btree (workflow_run_id);
CREATE INDEX workflow_node_execution_id_idx ON workflow_node_executions USING btree (tenant_id, app_id, workflow_id, triggered_from, node_execution_id);
CREATE INDEX workflow_node_execution_node_run_idx ON workflow_node_executions USING btree (tenant_id, app_id, workflow_id, triggered_from, node_id);
CREATE INDEX workflow_node_execution_workflow_run_id_idx ON workflow_node_executions USING btree (workflow_run_id);
CREATE INDEX workflow_node_executions_tenant_id_idx ON workflow_node_executions USING btree (tenant_id, workflow_id, node_id, created_at DESC);
CREATE INDEX workflow_run_created_at_id_idx ON workflow_runs USING btree (created_at, id);
CREATE INDEX workflow_run_triggerd_from_idx ON workflow_runs USING btree (tenant_id, app_id, triggered_from);
CREATE INDEX workflow_trigger_log_created_at_idx ON workflow_trigger_logs USING btree (created_at);
CREATE INDEX workflow_trigger_log_status_idx ON workflow_trigger_logs USING btree (status);
CREATE INDEX workflow_trigger_log_tenant_app_idx ON workflow_trigger_logs USING btree (tenant_id, app_id);
CREATE INDEX workflow_trigger_log_workflow_id_idx ON workflow_trigger_logs USING btree (workflow_id);
CREATE INDEX workflow_trigger_log_workflow_run_idx ON workflow_trigger_logs USING btree (workflow_run_id);

-- Tables that the recording does not have.
CREATE TABLE workflow_pause_reasons (
  id UUID NOT NULL PRIMARY KEY,
  pause_id UUID NOT NULL,
  type VARCHAR(20) NOT NULL,
  form_id VARCHAR(36) NOT NULL,
  message VARCHAR(255) NOT NULL,
  node_id VARCHAR(255) NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX workflow_pause_reasons_pause_id_idx ON workflow_pause_reasons (pause_id);

CREATE TABLE human_input_forms (
  id UUID NOT NULL PRIMARY KEY,
  tenant_id UUID NOT NULL,
  app_id UUID NOT NULL,
  workflow_run_id UUID,
  form_kind VARCHAR(20) NOT NULL DEFAULT 'runtime',
  node_id VARCHAR(60) NOT NULL,
  form_definition TEXT NOT NULL,
  rendered_content TEXT NOT NULL,
  status VARCHAR(20) NOT NULL,
  expiration_time TIMESTAMP NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX human_input_forms_workflow_run_id_node_id_idx ON human_input_forms (workflow_run_id, node_id);
CREATE INDEX human_input_forms_status_expiration_time_idx ON human_input_forms (status, expiration_time);
CREATE INDEX human_input_forms_status_created_at_idx ON human_input_forms (status, created_at);

CREATE TABLE app_triggers (
  id UUID NOT NULL PRIMARY KEY,
  tenant_id UUID NOT NULL,
  app_id UUID NOT NULL,
  node_id VARCHAR(64) NOT NULL,
  trigger_type VARCHAR(50) NOT NULL,
  title VARCHAR(255) NOT NULL,
  status VARCHAR(50) NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX app_trigger_tenant_app_idx ON app_triggers (tenant_id, app_id);

CREATE TABLE documents (
  id UUID NOT NULL PRIMARY KEY,
  tenant_id UUID NOT NULL,
  dataset_id UUID NOT NULL,
  name VARCHAR(255) NOT NULL,
  data_source_info TEXT,
  error TEXT,
  indexing_status VARCHAR(255) NOT NULL DEFAULT 'waiting',
  is_paused BOOLEAN DEFAULT false,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX document_dataset_id_idx ON documents (dataset_id);
CREATE INDEX document_is_paused_idx ON documents (is_paused);
CREATE INDEX document_tenant_idx ON documents (tenant_id);

CREATE TABLE message_feedbacks (
  id UUID NOT NULL PRIMARY KEY,
  app_id UUID NOT NULL,
  conversation_id UUID NOT NULL,
  message_id UUID NOT NULL,
  rating VARCHAR(255) NOT NULL,
  content TEXT,
  from_source VARCHAR(255) NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX message_feedback_app_idx ON message_feedbacks (app_id);
CREATE INDEX message_feedback_message_idx ON message_feedbacks (message_id, from_source);
CREATE INDEX message_feedback_conversation_idx ON message_feedbacks (conversation_id, from_source, rating);
