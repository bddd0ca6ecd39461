{{- /* A variable from a Secret, existing or the chart's. Arguments: root, name, section of values, key in it. */ -}}
{{- define "otelcol.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .section.existingSecret | default (include "otelcol.fullname" .root) }}
      key: {{ ternary (get .section.secretKeys .key) .name (ne .section.existingSecret "") }}
{{- end -}}

{{- /* The same for a user name: it may be a value although the password comes from an existing Secret. */ -}}
{{- define "otelcol.usernameEnv" -}}
{{- if and .section.existingSecret .section.secretKeys.username -}}
{{ include "otelcol.secretEnv" (merge (dict "key" "username") .) }}
{{- else -}}
- {name: {{ .name }}, value: {{ .section.username | quote }}}
{{- end -}}
{{- end -}}

{{- define "otelcol.env.reader" -}}
{{- with .Values.database }}
- {name: DB_TYPE, value: {{ .type | quote }}}
- {name: DB_HOST, value: {{ .host | quote }}}
- {name: DB_PORT, value: {{ .port | quote }}}
- {name: DB_DATABASE, value: {{ .name | quote }}}
- {name: OTELCOL_DB_TLS_INSECURE, value: {{ not .tls | quote }}}
{{ include "otelcol.usernameEnv" (dict "root" $ "name" "DB_USERNAME" "section" .) }}
{{- if or .password .existingSecret }}
{{ include "otelcol.secretEnv" (dict "root" $ "name" "DB_PASSWORD" "section" . "key" "password") }}
{{- else }}
- {name: DB_PASSWORD, value: ""}
{{- end }}
{{- end }}
{{- with .Values.redis }}
- {name: REDIS_KEY_PREFIX, value: {{ .keyPrefix | quote }}}
{{- if and .existingSecret .secretKeys.url }}
{{ include "otelcol.secretEnv" (dict "root" $ "name" "CELERY_BROKER_URL" "section" . "key" "url") }}
{{- else if and .existingSecret .secretKeys.password }}
{{ include "otelcol.secretEnv" (dict "root" $ "name" "REDIS_PASSWORD" "section" . "key" "password") }}
- {name: CELERY_BROKER_URL, value: {{ .url | quote }}} # $(REDIS_PASSWORD) is replaced by Kubernetes
{{- else }}
{{ include "otelcol.secretEnv" (dict "root" $ "name" "CELERY_BROKER_URL" "section" . "key" "url") }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "otelcol.env.backends" -}}
{{- $root := .root }}
{{- $role := .role }}
{{- with $root.Values.opensearch }}
- {name: OTELCOL_OPENSEARCH_URL, value: {{ .url | quote }}}
{{- if ne $role "lines" }}
- {name: OTELCOL_DASHBOARDS_URL, value: {{ .dashboardsUrl | quote }}}
- {name: OTELCOL_OPENSEARCH_FORMAT, value: {{ .format | quote }}}
{{- end }}
{{- if .caConfigMap }}
- {name: OTELCOL_OPENSEARCH_CA_FILE, value: /etc/otelcol-dify/opensearch/ca.crt}
{{- end }}
{{- if or .password .existingSecret }}
{{ include "otelcol.usernameEnv" (dict "root" $root "name" "OTELCOL_OPENSEARCH_USERNAME" "section" .) }}
{{ include "otelcol.secretEnv" (dict "root" $root "name" "OTELCOL_OPENSEARCH_PASSWORD" "section" . "key" "password") }}
{{- end }}
{{- end }}
{{- if include "otelcol.hasSentry" $root }}
{{- with $root.Values.sentry }}
{{ include "otelcol.secretEnv" (dict "root" $root "name" "OTELCOL_SENTRY_DSN" "section" . "key" "dsn") }}
- {name: OTELCOL_SENTRY_TRACE_URL, value: {{ .traceUrl | quote }}}
- {name: OTELCOL_SENTRY_RUN_URL, value: {{ .runUrl | quote }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "otelcol.env.kafka" -}}
{{- with .Values.kafka }}
- {name: OTELCOL_KAFKA_BROKERS, value: {{ .brokers | quote }}}
- {name: OTELCOL_KAFKA_TOPIC_PREFIX, value: {{ .topicPrefix | quote }}}
- {name: OTELCOL_KAFKA_TLS_INSECURE, value: {{ not .tls | quote }}}
{{- if .caConfigMap }}
- {name: OTELCOL_KAFKA_CA_FILE, value: /etc/otelcol-dify/kafka/ca.crt}
{{- end }}
{{- if .sasl.enabled }}
- {name: OTELCOL_KAFKA_SASL_MECHANISM, value: {{ .sasl.mechanism | quote }}}
{{ include "otelcol.usernameEnv" (dict "root" $ "name" "OTELCOL_KAFKA_USERNAME" "section" .sasl) }}
{{ include "otelcol.secretEnv" (dict "root" $ "name" "OTELCOL_KAFKA_PASSWORD" "section" .sasl "key" "password") }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The variables of a role: only those that its files read. */ -}}
{{- define "otelcol.env" -}}
{{- $root := .root -}}
{{- $role := include "otelcol.valuesOf" . -}}
{{- $values := get $root.Values $role -}}
{{- $kafka := $root.Values.kafka.enabled -}}
{{- $memory := $values.resources.limits.memory -}}
{{- $mebibytes := mul (ternary 1024 1 (hasSuffix "Gi" $memory)) (regexFind "^[0-9]+" $memory | int) -}}
- {name: GOMEMLIMIT, value: {{ printf "%dMiB" (div (mul $mebibytes 8) 10) }}} # 80 % of the limit
{{- with get $values "storage" }}
- {name: OTELCOL_QUEUE_MAX_SIZE, value: {{ .queueMaxSize | quote }}}
{{- end }}
{{- if and (has $role (list "collector" "gateway")) (include "otelcol.hasKey" $root) }}
{{ include "otelcol.secretEnv" (dict "root" $root "name" "OTLP_API_KEY" "section" $root.Values.otlp "key" "apiKey") }}
{{- end }}
{{- if eq $role "collector" }}
{{- if not $kafka }}
- {name: OTELCOL_INSTALLATION, value: {{ $root.Values.installation | quote }}}
{{- end }}
{{- include "otelcol.env.reader" $root }}
{{- end }}
{{- if or (eq $role "gateway") (eq $role "lines") (and $kafka (eq $role "collector")) }}
- {name: LOG_TZ, value: {{ $root.Values.dify.timeZone | quote }}}
- {name: APPLICATION_NAME, value: {{ $root.Values.dify.applicationName | quote }}}
{{- end }}
{{- if eq $role "lines" }}
{{- $include := printf "/var/log/pods/%s_*/*/*.log*" (include "otelcol.difyNamespace" $root) }}
- {name: OTELCOL_LINES_INCLUDE, value: {{ $values.include | default $include | quote }}}
{{- end }}
{{- if $kafka }}
{{- include "otelcol.env.kafka" $root }}
{{- end }}
{{- if or (not $kafka) (eq $role "writer") }}
{{- include "otelcol.env.backends" . }}
{{- end }}
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
