-- The tables that are read, as Dify's migrations make them on MySQL.
CREATE TABLE workflow_runs (
  id CHAR(36) NOT NULL PRIMARY KEY,
  tenant_id CHAR(36) NOT NULL,
  app_id CHAR(36) NOT NULL,
  workflow_id CHAR(36) NOT NULL,
  type VARCHAR(255) NOT NULL,
  triggered_from VARCHAR(255) NOT NULL,
  version VARCHAR(255) NOT NULL,
  graph LONGTEXT,
  inputs LONGTEXT,
  status VARCHAR(255) NOT NULL,
  outputs LONGTEXT,
  error LONGTEXT,
  elapsed_time FLOAT NOT NULL DEFAULT 0,
  total_tokens BIGINT NOT NULL DEFAULT 0,
  total_steps INT DEFAULT 0,
  created_by_role VARCHAR(255) NOT NULL,
  created_by CHAR(36) NOT NULL,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  finished_at DATETIME,
  exceptions_count INT DEFAULT 0,
  KEY workflow_run_triggerd_from_idx (tenant_id, app_id, triggered_from),
  KEY workflow_run_created_at_id_idx (created_at, id)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE workflow_app_logs (
  id CHAR(36) NOT NULL PRIMARY KEY,
  tenant_id CHAR(36) NOT NULL,
  app_id CHAR(36) NOT NULL,
  workflow_id CHAR(36) NOT NULL,
  workflow_run_id CHAR(36) NOT NULL,
  created_from VARCHAR(255) NOT NULL,
  created_by_role VARCHAR(255) NOT NULL,
  created_by CHAR(36) NOT NULL,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  KEY workflow_app_log_app_idx (tenant_id, app_id),
  KEY workflow_app_log_workflow_run_id_idx (workflow_run_id)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE workflow_node_executions (
  id CHAR(36) NOT NULL PRIMARY KEY,
  tenant_id CHAR(36) NOT NULL,
  app_id CHAR(36) NOT NULL,
  workflow_id CHAR(36) NOT NULL,
  triggered_from VARCHAR(255) NOT NULL,
  workflow_run_id CHAR(36),
  `index` INT NOT NULL,
  predecessor_node_id VARCHAR(255),
  node_id VARCHAR(255) NOT NULL,
  node_type VARCHAR(255) NOT NULL,
  title VARCHAR(255) NOT NULL,
  inputs LONGTEXT,
  process_data LONGTEXT,
  outputs LONGTEXT,
  status VARCHAR(255) NOT NULL,
  error LONGTEXT,
  elapsed_time FLOAT NOT NULL DEFAULT 0,
  execution_metadata LONGTEXT,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  created_by_role VARCHAR(255) NOT NULL,
  created_by CHAR(36) NOT NULL,
  finished_at DATETIME,
  node_execution_id VARCHAR(255),
  KEY workflow_node_execution_workflow_run_id_idx (workflow_run_id)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE apps (
  id CHAR(36) NOT NULL PRIMARY KEY,
  tenant_id CHAR(36) NOT NULL,
  name VARCHAR(255) NOT NULL,
  mode VARCHAR(255) NOT NULL,
  enable_site TINYINT(1) NOT NULL,
  enable_api TINYINT(1) NOT NULL,
  KEY app_tenant_id_idx (tenant_id)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE tenants (
  id CHAR(36) NOT NULL PRIMARY KEY,
  name VARCHAR(255) NOT NULL
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE messages (
  id CHAR(36) NOT NULL PRIMARY KEY,
  app_id CHAR(36) NOT NULL,
  model_provider VARCHAR(255),
  model_id VARCHAR(255),
  conversation_id CHAR(36) NOT NULL,
  inputs JSON NOT NULL,
  query LONGTEXT NOT NULL,
  message JSON NOT NULL,
  message_tokens INT NOT NULL DEFAULT 0,
  message_unit_price DECIMAL(10, 4) NOT NULL,
  message_price_unit DECIMAL(10, 7) NOT NULL DEFAULT 0.001,
  answer LONGTEXT NOT NULL,
  answer_tokens INT NOT NULL DEFAULT 0,
  answer_unit_price DECIMAL(10, 4) NOT NULL,
  answer_price_unit DECIMAL(10, 7) NOT NULL DEFAULT 0.001,
  provider_response_latency FLOAT NOT NULL DEFAULT 0,
  total_price DECIMAL(10, 7),
  currency VARCHAR(255) NOT NULL,
  status VARCHAR(255) NOT NULL DEFAULT 'normal',
  error LONGTEXT,
  invoke_from VARCHAR(255),
  from_source VARCHAR(255) NOT NULL,
  from_end_user_id CHAR(36),
  from_account_id CHAR(36),
  workflow_run_id CHAR(36),
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  KEY message_created_at_id_idx (created_at, id),
  KEY message_app_id_idx (app_id, created_at)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE workflow_pauses (
  id CHAR(36) NOT NULL PRIMARY KEY,
  workflow_id CHAR(36) NOT NULL,
  workflow_run_id CHAR(36) NOT NULL,
  resumed_at DATETIME,
  state_object_key VARCHAR(255) NOT NULL,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE KEY workflow_pauses_workflow_run_id_key (workflow_run_id)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE workflow_pause_reasons (
  id CHAR(36) NOT NULL PRIMARY KEY,
  pause_id CHAR(36) NOT NULL,
  type VARCHAR(20) NOT NULL,
  form_id VARCHAR(36) NOT NULL,
  message VARCHAR(255) NOT NULL,
  node_id VARCHAR(255) NOT NULL,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  KEY workflow_pause_reasons_pause_id_idx (pause_id)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE human_input_forms (
  id CHAR(36) NOT NULL PRIMARY KEY,
  tenant_id CHAR(36) NOT NULL,
  app_id CHAR(36) NOT NULL,
  workflow_run_id CHAR(36),
  form_kind VARCHAR(20) NOT NULL DEFAULT 'runtime',
  node_id VARCHAR(60) NOT NULL,
  form_definition LONGTEXT NOT NULL,
  rendered_content LONGTEXT NOT NULL,
  status VARCHAR(20) NOT NULL,
  expiration_time DATETIME NOT NULL,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  KEY human_input_forms_workflow_run_id_node_id_idx (workflow_run_id, node_id),
  KEY human_input_forms_status_expiration_time_idx (status, expiration_time),
  KEY human_input_forms_status_created_at_idx (status, created_at)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE workflow_trigger_logs (
  id CHAR(36) NOT NULL PRIMARY KEY,
  tenant_id CHAR(36) NOT NULL,
  app_id CHAR(36) NOT NULL,
  workflow_id CHAR(36) NOT NULL,
  workflow_run_id CHAR(36),
  trigger_metadata LONGTEXT NOT NULL,
  trigger_type VARCHAR(50) NOT NULL,
  trigger_data LONGTEXT NOT NULL,
  inputs LONGTEXT NOT NULL,
  outputs LONGTEXT,
  status VARCHAR(50) NOT NULL,
  error LONGTEXT,
  queue_name VARCHAR(100) NOT NULL,
  retry_count INT NOT NULL DEFAULT 0,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  created_by_role VARCHAR(255) NOT NULL,
  created_by VARCHAR(255) NOT NULL,
  KEY workflow_trigger_log_created_at_idx (created_at),
  KEY workflow_trigger_log_status_idx (status)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE app_triggers (
  id CHAR(36) NOT NULL PRIMARY KEY,
  tenant_id CHAR(36) NOT NULL,
  app_id CHAR(36) NOT NULL,
  node_id VARCHAR(64) NOT NULL,
  trigger_type VARCHAR(50) NOT NULL,
  title VARCHAR(255) NOT NULL,
  status VARCHAR(50) NOT NULL,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  KEY app_trigger_tenant_app_idx (tenant_id, app_id)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE documents (
  id CHAR(36) NOT NULL PRIMARY KEY,
  tenant_id CHAR(36) NOT NULL,
  dataset_id CHAR(36) NOT NULL,
  name VARCHAR(255) NOT NULL,
  data_source_info LONGTEXT,
  error LONGTEXT,
  indexing_status VARCHAR(255) NOT NULL DEFAULT 'waiting',
  is_paused TINYINT(1) DEFAULT 0,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  KEY document_dataset_id_idx (dataset_id),
  KEY document_is_paused_idx (is_paused),
  KEY document_tenant_idx (tenant_id)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE message_feedbacks (
  id CHAR(36) NOT NULL PRIMARY KEY,
  app_id CHAR(36) NOT NULL,
  conversation_id CHAR(36) NOT NULL,
  message_id CHAR(36) NOT NULL,
  rating VARCHAR(255) NOT NULL,
  content LONGTEXT,
  from_source VARCHAR(255) NOT NULL,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  KEY message_feedback_app_idx (app_id),
  KEY message_feedback_message_idx (message_id, from_source),
  KEY message_feedback_conversation_idx (conversation_id, from_source, rating)
) DEFAULT CHARSET = utf8mb4;
