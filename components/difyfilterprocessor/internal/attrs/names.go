// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package attrs has the names of OpenTelemetry's attributes that the processor uses, and functions to read and write
// attributes, data points and status codes. Names of Dify's attributes are in package difysemconv.
package attrs

import semconv "go.opentelemetry.io/otel/semconv/v1.40.0"

// HTTP attributes of the current conventions.
const (
	HTTPMethod      = string(semconv.HTTPRequestMethodKey)
	HTTPRoute       = string(semconv.HTTPRouteKey)
	HTTPStatusCode  = string(semconv.HTTPResponseStatusCodeKey)
	URLPath         = string(semconv.URLPathKey)
	URLQuery        = string(semconv.URLQueryKey)
	URLFull         = string(semconv.URLFullKey)
	URLScheme       = string(semconv.URLSchemeKey)
	ProtocolVersion = string(semconv.NetworkProtocolVersionKey)
	ClientAddress   = string(semconv.ClientAddressKey)
)

// HTTP attributes of the old conventions, which Dify's instrumentations still write.
const (
	OldHTTPMethod     = "http.method"
	OldHTTPTarget     = "http.target"
	OldHTTPStatusCode = "http.status_code"
	OldHTTPURL        = "http.url"
	OldHTTPScheme     = "http.scheme"
	OldHTTPFlavor     = "http.flavor"
)

// Database attributes. Dify's instrumentations write the old ones.
const (
	DBSystemName   = string(semconv.DBSystemNameKey)
	DBQueryText    = string(semconv.DBQueryTextKey)
	OldDBSystem    = "db.system"
	OldDBStatement = "db.statement"
)

// Attributes of resources.
const (
	ServiceName           = string(semconv.ServiceNameKey)
	ServiceVersion        = string(semconv.ServiceVersionKey)
	ServiceNamespace      = string(semconv.ServiceNamespaceKey)
	ServiceInstanceID     = string(semconv.ServiceInstanceIDKey)
	HostName              = string(semconv.HostNameKey)
	ProcessPID            = string(semconv.ProcessPIDKey)
	ProcessExecutableName = string(semconv.ProcessExecutableNameKey)
	TelemetrySDKName      = string(semconv.TelemetrySDKNameKey)
	ContainerID           = string(semconv.ContainerIDKey)
	ContainerName         = string(semconv.ContainerNameKey)
)

// Attributes and event names of exceptions.
const (
	ExceptionType       = string(semconv.ExceptionTypeKey)
	ExceptionMessage    = string(semconv.ExceptionMessageKey)
	ExceptionStacktrace = string(semconv.ExceptionStacktraceKey)
	ErrorType           = string(semconv.ErrorTypeKey)
	EventException      = "exception"
)

// Attributes of log records.
const (
	LogIOStream    = string(semconv.LogIostreamKey)
	ThreadName     = string(semconv.ThreadNameKey)
	CodeFilePath   = string(semconv.CodeFilePathKey)
	CodeLineNumber = string(semconv.CodeLineNumberKey)
	LogMessage     = "log.message" // of Dify's event log.exception
)

// UserID is the end user of a GenAI operation, as Dify writes it.
const UserID = "gen_ai.user.id"
