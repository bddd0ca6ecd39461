{{- define "otelcol.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* 40 characters: each StatefulSet's pods, claims and revisions get longer names from it. */ -}}
{{- define "otelcol.fullname" -}}
{{- $name := include "otelcol.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* The name of a role's workload. The collector's stays the same with Kafka, so that it keeps its volume. */ -}}
{{- define "otelcol.workload" -}}
{{- $full := include "otelcol.fullname" .root -}}
{{- ternary $full (printf "%s-%s" $full .role) (eq .role "collector") -}}
{{- end -}}

{{- define "otelcol.selector" -}}
app.kubernetes.io/name: {{ include "otelcol.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "otelcol.labels" -}}
{{ include "otelcol.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "otelcol.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The roles of this release, separated by spaces. */ -}}
{{- define "otelcol.roles" -}}
collector
{{- if .Values.kafka.enabled }} gateway writer metrics{{ end }}
{{- if .Values.lines.enabled }} lines{{ end }}
{{- if .Values.drain.claim }} drain{{ end }}
{{- end -}}

{{- /* The role whose pods receive OTLP. */ -}}
{{- define "otelcol.receiver" -}}
{{- ternary "gateway" "collector" .Values.kafka.enabled -}}
{{- end -}}

{{- /* The values of a role: a drain has those of the role whose claim it drains. */ -}}
{{- define "otelcol.valuesOf" -}}
{{- ternary .root.Values.drain.role .role (eq .role "drain") -}}
{{- end -}}

{{- define "otelcol.difyNamespace" -}}
{{- .Values.dify.namespace | default .Release.Namespace -}}
{{- end -}}

{{- define "otelcol.hasKey" -}}
{{- if or .Values.otlp.apiKey .Values.otlp.existingSecret -}}yes{{- end -}}
{{- end -}}

{{- define "otelcol.hasSentry" -}}
{{- if or .Values.sentry.dsn .Values.sentry.existingSecret -}}yes{{- end -}}
{{- end -}}
