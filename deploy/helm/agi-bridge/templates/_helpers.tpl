{{- define "agi-bridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 57 characters, so that "-admin" still fits. */}}
{{- define "agi-bridge.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 57 | trimSuffix "-" }}
{{- else }}
{{- $name := include "agi-bridge.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 57 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 57 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "agi-bridge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "agi-bridge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "agi-bridge.labels" -}}
{{ include "agi-bridge.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "agi-bridge.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "agi-bridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "agi-bridge.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "agi-bridge.hasApi" -}}
{{- if dig "api" "listen" "" .Values.config }}true{{ end }}
{{- end }}

{{/* The grace period: what the drain may take, and 60 s for its end and for preStop. */}}
{{- define "agi-bridge.grace" -}}
{{- if .Values.terminationGracePeriodSeconds }}
{{- int64 .Values.terminationGracePeriodSeconds }}
{{- else }}
{{- $drain := dig "shutdown" "drain_timeout" "1h" .Values.config | toString }}
{{- $units := dict "d" 86400 "h" 3600 "m" 60 "s" 1 "ms" 0 }}
{{- $seconds := 60 }}
{{- range regexFindAll "[0-9]+(ms|[dhms])" $drain -1 }}
{{- $unit := regexFind "[a-z]+" . }}
{{- $seconds = add $seconds (mul (regexFind "[0-9]+" . | int64) (get $units $unit)) }}
{{- end }}
{{- $seconds }}
{{- end }}
{{- end }}

{{/* One of the two Services that may be seen from outside. */}}
{{- define "agi-bridge.outerService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "agi-bridge.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .port }}
  {{- with .values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .values.type }}
  {{- if ne .values.type "ClusterIP" }}
  externalTrafficPolicy: {{ .values.externalTrafficPolicy }}
  {{- end }}
  {{- if eq .values.type "LoadBalancer" }}
  {{- with .values.loadBalancerClass }}
  loadBalancerClass: {{ . }}
  {{- end }}
  {{- with .values.loadBalancerSourceRanges }}
  loadBalancerSourceRanges:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  selector:
    {{- include "agi-bridge.selectorLabels" .root | nindent 4 }}
  ports:
    - name: {{ .port }}
      port: {{ .values.port }}
      targetPort: {{ .port }}
      protocol: TCP
      {{- if and .values.nodePort (ne .values.type "ClusterIP") }}
      nodePort: {{ .values.nodePort }}
      {{- end }}
{{- end }}
