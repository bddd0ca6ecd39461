-- The tables that are read and that the recorded dump lacks, as Dify's migrations make them on PostgreSQL.
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
