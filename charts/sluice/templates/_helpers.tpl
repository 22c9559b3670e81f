{{- /* A cluster has one Sluice, so the name is the release's: two releases collide loudly at the CRD, not quietly. */ -}}
{{- define "sluice.name" -}}
{{- if contains "sluice" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-sluice" (.Release.Name | trunc 43 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "sluice.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "sluice.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "sluice.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* Where pods may run, and with what they pull their image. */ -}}
{{- define "sluice.scheduling" -}}
{{- range $field := list "imagePullSecrets" "priorityClassName" "nodeSelector" "affinity" "tolerations" }}
{{- with index $.Values $field }}
{{ $field }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}

{{- /* A sentence is better than the regular expression that a values schema would answer with. */ -}}
{{- define "sluice.trackingUri" -}}
{{- $example := "for example --set mlflow.trackingUri=http://mlflow.mlflow.svc:5000" }}
{{- if not .Values.mlflow.trackingUri }}
{{- fail (printf "mlflow.trackingUri is empty: say where your MLflow is, as pods reach it, %s" $example) }}
{{- else if not (regexMatch "^https?://[^[:space:]]+$" .Values.mlflow.trackingUri) }}
{{- fail (printf "mlflow.trackingUri is %q, but must begin with http:// or https://, %s" .Values.mlflow.trackingUri $example) }}
{{- end }}
{{- .Values.mlflow.trackingUri }}
{{- end }}

{{- define "sluice.mlflowPort" -}}
{{- $uri := urlParse (include "sluice.trackingUri" .) }}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $uri.host) | default (eq $uri.scheme "https" | ternary "443" "80") }}
{{- end }}

{{- /* Arguments: root, name of role and binding, namespace, service account. */ -}}
{{- define "sluice.roleBinding" -}}
{{- $root := index . 0 -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ index . 1 }}
  namespace: {{ index . 2 }}
  labels:
    {{- include "sluice.labels" $root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ index . 1 }}
subjects:
- kind: ServiceAccount
  name: {{ index . 3 }}
  namespace: {{ $root.Release.Namespace }}
{{- end }}

{{- /* Arguments: root, name of role and binding, service account. */ -}}
{{- define "sluice.clusterRoleBinding" -}}
{{- $root := index . 0 -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ index . 1 }}
  labels:
    {{- include "sluice.labels" $root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ index . 1 }}
subjects:
- kind: ServiceAccount
  name: {{ index . 2 }}
  namespace: {{ $root.Release.Namespace }}
{{- end }}

{{- define "sluice.collector.name" -}}
{{ include "sluice.name" . }}-collector
{{- end }}

{{- /* A name of its own: what selects the operator's pods without their component must not find these. */ -}}
{{- define "sluice.collector.selector" -}}
app.kubernetes.io/name: sluice-collector
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: collector
{{- end }}

{{- define "sluice.collector.labels" -}}
{{ include "sluice.collector.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "sluice.collector.replicas" -}}
{{- if and (gt (int .Values.collector.replicas) 1) (not .Values.collector.databaseUrl.secretName) }}
{{- fail (printf "collector.replicas is %d, but SQLite is for one pod: write 1, or name the Secret of a PostgreSQL in collector.databaseUrl.secretName" (int .Values.collector.replicas)) }}
{{- end }}
{{- .Values.collector.replicas }}
{{- end }}
