{{- /* The files of a role, in the order in which they are merged, separated by spaces. */ -}}
{{- define "otelcol.files" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $role := include "otelcol.valuesOf" . -}}
{{- $files := list -}}
{{- if eq $role "lines" -}}
  {{- $files = ternary (list "scale/lines.yaml") (list "scale/lines.yaml" "scale/direct.yaml") $kafka.enabled -}}
{{- else if and (eq $role "collector") (not $kafka.enabled) -}}
  {{- $files = list "collector.yaml" -}}
{{- else if eq $role "collector" -}}
  {{- $files = list "scale/gateway.yaml" "scale/reader.yaml" -}}
{{- else -}}
  {{- $files = list (printf "scale/%s.yaml" $role) -}}
{{- end -}}
{{- if and (include "otelcol.hasKey" .root) (has $role (list "collector" "gateway")) -}}
  {{- $files = append $files (ternary "scale/auth.yaml" "overlays/auth.yaml" $kafka.enabled) -}}
{{- end -}}
{{- if and $kafka.enabled $kafka.sasl.enabled -}}
  {{- $files = append $files "scale/sasl.yaml" -}}
{{- end -}}
{{- if and (eq .role "drain") (eq $role "writer") -}}
  {{- $files = append $files "scale/drain.yaml" -}}
{{- end -}}
{{- join " " $files -}}
{{- end -}}

{{- /* The content of a role's ConfigMap. */ -}}
{{- define "otelcol.config" -}}
{{- range splitList " " (include "otelcol.files" .) }}
{{ base . }}: |
  {{- $.root.Files.Get (printf "files/%s" .) | nindent 2 }}
{{- end }}
{{- with (get $.root.Values (include "otelcol.valuesOf" .)).config }}
own.yaml: |
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Values that belong together. The schema can't express these rules. */ -}}
{{- define "otelcol.check" -}}
{{- with .Values -}}
{{- if not .database.host }}{{ fail "database.host is empty: the host name of Dify's database" }}{{ end -}}
{{- if not (or .redis.url (and .redis.existingSecret .redis.secretKeys.url)) -}}
{{- fail "redis.url is empty: CELERY_BROKER_URL as Dify has it, or redis.existingSecret and redis.secretKeys.url" -}}
{{- end -}}
{{- if and .redis.existingSecret (not (or .redis.secretKeys.url .redis.secretKeys.password)) -}}
{{- fail "redis.existingSecret is set, but neither redis.secretKeys.url nor redis.secretKeys.password" -}}
{{- end -}}
{{- if not .opensearch.url }}{{ fail "opensearch.url is empty: the address of OpenSearch" }}{{ end -}}
{{- /* The schema's errors repeat a value, so values that may have a login are checked here. */ -}}
{{- if and .redis.url (not (regexMatch "^(redis|rediss|sentinel)://." .redis.url)) -}}
{{- fail "redis.url does not begin with redis://, rediss:// or sentinel://" -}}
{{- end -}}
{{- range $name := list "url" "dashboardsUrl" -}}
{{- $url := get $.Values.opensearch $name -}}
{{- if and $url (not (regexMatch "^https?://[^/@?#]+(/[^@?#]*)?$" $url)) -}}
{{- fail (printf "opensearch.%s is not an address such as https://search.example.com:9200, without a login" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .sentry.dsn (not (regexMatch "^https?://[^@/]+@[^@]+/[0-9]+$" .sentry.dsn)) -}}
{{- fail "sentry.dsn is not a DSN such as https://<key>@sentry.example.com/1" -}}
{{- end -}}
{{- if and .installation .kafka.enabled }}{{ fail "installation can't be set with kafka.enabled" }}{{ end -}}
{{- if and .kafka.enabled (not .kafka.brokers) -}}
{{- fail "kafka.brokers is empty, and kafka.enabled is true" -}}
{{- end -}}
{{- if and .drain.claim (not .kafka.enabled) -}}
{{- fail "drain.claim is set, and kafka.enabled is false: only writers and gateways are drained" -}}
{{- end -}}
{{- range $name := list "gateway" "writer" -}}
{{- $auto := (get $.Values $name).autoscaling -}}
{{- if gt (int $auto.minReplicas) (int $auto.maxReplicas) -}}
{{- fail (printf "%s.autoscaling.minReplicas is above maxReplicas" $name) -}}
{{- end -}}
{{- end -}}
{{- $writers := ternary .writer.autoscaling.maxReplicas .writer.replicas .writer.autoscaling.enabled -}}
{{- if gt (int $writers) (int .kafka.partitions) -}}
{{- fail (printf "%v writers are more than kafka.partitions (%v): the rest is idle" $writers .kafka.partitions) -}}
{{- end -}}
{{- end -}}
{{- end -}}
