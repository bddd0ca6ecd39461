// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package containerlog

import (
	"path"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	conventions "go.opentelemetry.io/otel/semconv/v1.40.0"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
)

// source describes where a line comes from, and which attributes of its record say so. Those are removed from the
// record, so that it is not processed again.
type source struct {
	instance  string // identifies the container or the file
	container string // its ID, if known
	name      string // of the container, or of the file without its extension
	service   string // of the compose file, or the component of a pod
	stream    string // stdout or stderr
	resource  []attribute
	consumed  []string
}

type attribute struct{ key, value string }

// Keys of Docker's fluentd logging driver. A record with the first two is a line of a container.
const (
	driverContainerID   = "container_id"
	driverContainerName = "container_name"
	driverSource        = "source"
	driverPartial       = "partial_message"
	driverPartialLast   = "partial_last"
)

var dockerKeys = []string{
	driverContainerID, driverContainerName, driverSource, driverPartial, driverPartialLast, "partial_id",
	"partial_ordinal",
}

func (raw *rawLine) readDocker() bool {
	id, name := attrs.Text(raw.attributes, driverContainerID), attrs.Text(raw.attributes, driverContainerName)
	if id == "" || name == "" {
		return false
	}
	raw.source = source{
		instance: id, container: id, name: strings.TrimPrefix(name, "/"),
		service: attrs.Text(raw.attributes, identity.AttrComposeService), stream: attrs.Text(raw.attributes, driverSource),
		consumed: dockerKeys,
	}
	raw.partial = attrs.Text(raw.attributes, driverPartial) == "true"
	raw.last = attrs.Text(raw.attributes, driverPartialLast) == "true"
	return true
}

// Keys of Fluent Bit in Kubernetes: its filter writes the map, its parser of CRI the others.
const (
	fluentBitMap    = "kubernetes"
	fluentBitStream = "stream"
	fluentBitTag    = "_p"
	criTag          = "logtag" // also of filelog's container parser
	partialTag      = "P"      // of CRI: the line goes on
)

var (
	fluentBitKeys = []string{fluentBitMap, fluentBitStream, fluentBitTag, criTag, "time"}
	// fluentBitNames has the keys of the map with their names in the semantic conventions.
	fluentBitNames = []attribute{
		{"pod_name", string(conventions.K8SPodNameKey)},
		{"pod_id", string(conventions.K8SPodUIDKey)},
		{"namespace_name", string(conventions.K8SNamespaceNameKey)},
		{"host", string(conventions.K8SNodeNameKey)},
		{"container_name", string(conventions.K8SContainerNameKey)},
		{"container_image", string(conventions.ContainerImageNameKey)},
	}
	// componentLabels are the labels by which charts name the component of Dify that a pod is.
	componentLabels = []string{"app.kubernetes.io/component", "component"}
)

func (raw *rawLine) readFluentBit() bool {
	about := fluentBitFields(raw.attributes)
	name, pod := about("container_name"), about("pod_name")
	if name == "" || pod == "" {
		return false
	}
	raw.source = source{
		container: about("docker_id"), name: name, stream: attrs.Text(raw.attributes, fluentBitStream),
		consumed: fluentBitKeys,
	}
	raw.instance = raw.container
	if raw.instance == "" {
		raw.instance = about("namespace_name") + "/" + pod + "/" + name
	}
	for _, n := range fluentBitNames {
		if value := about(n.key); value != "" {
			raw.resource = append(raw.resource, attribute{n.value, value})
		}
	}
	for _, label := range componentLabels {
		if raw.service == "" {
			raw.service = about("labels." + label)
		}
	}
	raw.partial = attrs.Text(raw.attributes, fluentBitTag) == partialTag ||
		attrs.Text(raw.attributes, criTag) == partialTag
	return true
}

// fluentBitFields returns how to read a field: from the map, or from attributes that a lifting filter has made of it.
func fluentBitFields(attributes pcommon.Map) func(key string) string {
	fields, ok := attributes.Get(fluentBitMap)
	if !ok || fields.Type() != pcommon.ValueTypeMap {
		return func(key string) string { return attrs.Text(attributes, fluentBitMap+"."+key) }
	}
	return func(key string) string {
		if label, ok := strings.CutPrefix(key, "labels."); ok {
			labels, ok := fields.Map().Get("labels")
			if !ok || labels.Type() != pcommon.ValueTypeMap {
				return ""
			}
			return attrs.Text(labels.Map(), label)
		}
		return attrs.Text(fields.Map(), key)
	}
}

// Keys of the filelog receiver, and of its container parser.
const (
	filePath = string(conventions.LogFilePathKey)
	fileName = string(conventions.LogFileNameKey)
)

var fileKeys = []string{filePath, fileName, criTag, "time"}

func (raw *rawLine) readFile() bool {
	file := attrs.Text(raw.attributes, filePath)
	if file == "" {
		file = attrs.Text(raw.attributes, fileName)
	}
	if file == "" {
		return false
	}
	base := path.Base(file)
	raw.source = source{
		instance: file, container: attrs.Text(raw.res, attrs.ContainerID),
		name:   strings.TrimSuffix(base, path.Ext(base)),
		stream: attrs.Text(raw.attributes, attrs.LogIOStream), consumed: fileKeys,
	}
	if name := attrs.Text(raw.res, string(conventions.K8SContainerNameKey)); name != "" {
		raw.name = name
		raw.instance = attrs.Text(raw.res, string(conventions.K8SPodUIDKey)) + "/" + name
	}
	raw.partial = attrs.Text(raw.attributes, criTag) == partialTag
	return true
}

// isConsumed reports whether an attribute of the record describes the source.
func (s *source) isConsumed(key string) bool {
	return slices.Contains(s.consumed, key) ||
		len(s.consumed) > 0 && s.consumed[0] == fluentBitMap && strings.HasPrefix(key, fluentBitMap+".")
}
