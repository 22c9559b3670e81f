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
