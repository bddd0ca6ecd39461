{{- define "otelcol.podMetadata" -}}
{{- $values := get .root.Values (include "otelcol.valuesOf" .) -}}
labels:
  {{- with $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- include "otelcol.labels" . | nindent 2 }}
annotations:
  {{- with $values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  # A changed file or secret value rolls the pods that use it.
  checksum/config: {{ include "otelcol.config" . | sha256sum }}
  checksum/secret: {{ include "otelcol.secretData" .root | sha256sum }}
{{- end -}}

{{- define "otelcol.podSecurityContext" -}}
{{- if eq .role "lines" -}}
runAsUser: 0 # the files belong to root
runAsGroup: 0
{{- else -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "otelcol.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "otelcol.ports" -}}
{{- $role := include "otelcol.valuesOf" . -}}
{{- if eq .role (include "otelcol.receiver" .root) }}
- {name: otlp-grpc, containerPort: 4317}
- {name: otlp-http, containerPort: 4318}
{{- end }}
{{- if eq .role (ternary "metrics" "collector" .root.Values.kafka.enabled) }}
- {name: prometheus, containerPort: 8889}
{{- end }}
- {name: telemetry, containerPort: 8888}
- {name: health, containerPort: 13133}
{{- end -}}

{{- /* The name of the volume with a certificate authority, for each of them that a role uses. */ -}}
{{- define "otelcol.authorities" -}}
{{- $role := include "otelcol.valuesOf" . -}}
{{- $kafka := .root.Values.kafka.enabled -}}
{{- if and $kafka .root.Values.kafka.caConfigMap }}kafka {{ end -}}
{{- if and .root.Values.opensearch.caConfigMap (or (not $kafka) (eq $role "writer")) }}opensearch{{ end -}}
{{- end -}}

{{- define "otelcol.podSpec" -}}
{{- $root := .root -}}
{{- $values := get $root.Values (include "otelcol.valuesOf" .) -}}
{{- $authorities := include "otelcol.authorities" . | trim | splitList " " | compact -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 60
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "otelcol.podSecurityContext" . | nindent 2 }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if has .role (list "gateway" "writer") }}
topologySpreadConstraints: # spread over nodes
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "otelcol.selector" . | nindent 8 }}
{{- end }}
containers:
  - name: otelcol-dify # lines.yaml excludes the lines of containers with this name
    image: {{ include "otelcol.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args:
      {{- range splitList " " (include "otelcol.files" .) }}
      - --config=/etc/otelcol-dify/config/{{ base . }}
      {{- end }}
      {{- if $values.config }}
      - --config=/etc/otelcol-dify/config/own.yaml
      {{- end }}
    env: {{- include "otelcol.env" . | nindent 6 }}
    ports: {{- include "otelcol.ports" . | nindent 6 }}
    startupProbe: # opening the queue of a long outage takes a while
      httpGet: {path: /, port: health}
      periodSeconds: 2
      failureThreshold: 150
    readinessProbe:
      httpGet: {path: /, port: health}
      periodSeconds: 5
    livenessProbe:
      httpGet: {path: /, port: health}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    {{- if eq .role (include "otelcol.receiver" $root) }}
    lifecycle:
      preStop: {sleep: {seconds: 5}} # until the pod is out of the Service's endpoints
    {{- end }}
    resources: {{- toYaml $values.resources | nindent 6 }}
    securityContext: {{- include "otelcol.containerSecurityContext" . | nindent 6 }}
    volumeMounts:
      - {name: config, mountPath: /etc/otelcol-dify/config, readOnly: true}
      {{- if hasKey $values "storage" }}
      - {name: storage, mountPath: /var/lib/otelcol-dify}
      {{- end }}
      {{- if eq .role "lines" }}
      - {name: logs, mountPath: /var/log/pods, readOnly: true}
      {{- end }}
      {{- range $authorities }}
      - {name: {{ . }}-ca, mountPath: /etc/otelcol-dify/{{ . }}, readOnly: true}
      {{- end }}
      {{- with $values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: config
    configMap: {name: {{ include "otelcol.fullname" $root }}-{{ .role }}}
  {{- range $authorities }}
  - name: {{ . }}-ca
    configMap: {name: {{ (get $root.Values .).caConfigMap }}}
  {{- end }}
  {{- if eq .role "lines" }}
  - name: logs
    hostPath: {path: /var/log/pods, type: Directory}
  {{- $path := printf "/var/lib/%s-%s-lines" $root.Release.Namespace (include "otelcol.fullname" $root) }}
  - name: storage # the positions outlive a pod
    hostPath: {path: {{ $values.storage.hostPath | default $path }}, type: DirectoryOrCreate}
  {{- else if eq .role "drain" }}
  - name: storage
    persistentVolumeClaim: {claimName: {{ $root.Values.drain.claim }}}
  {{- else if dig "storage" "existingClaim" "" $values }}
  - name: storage
    persistentVolumeClaim: {claimName: {{ $values.storage.existingClaim }}}
  {{- end }}
  {{- with $values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
