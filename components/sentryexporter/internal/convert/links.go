// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// Links are templates of the URLs to which an event links. An empty one makes no link.
type Links struct{ Trace, Run string }

// contextLinks is the context with the links. Sentry shows a URL in a context as a link.
const contextLinks = "links"

// placeholder matches the name of a value in a template.
var placeholder = regexp.MustCompile(`\{([a-z_]*)\}`)

// linkTags are the tags of the placeholders, except those of the trace.
var linkTags = map[string]string{
	"tenant_id": difysemconv.AttrTenantID, "app_id": difysemconv.AttrAppID, "workflow_id": difysemconv.AttrWorkflowID,
	"workflow_run_id": difysemconv.AttrWorkflowRunID, "node_id": difysemconv.AttrNodeID,
	"node_execution_id": difysemconv.AttrNodeExecutionID, "message_id": difysemconv.AttrMessageID,
	"conversation_id": difysemconv.AttrConversationID,
}

const (
	linkTraceID = "trace_id"
	linkSpanID  = "span_id"
)

// ValidateLink reports what is wrong with a template.
func ValidateLink(template string) error {
	if template == "" {
		return nil
	}
	for _, m := range placeholder.FindAllStringSubmatch(template, -1) {
		if _, ok := linkTags[m[1]]; !ok && m[1] != linkTraceID && m[1] != linkSpanID {
			names := slices.Sorted(maps.Keys(linkTags))
			return fmt.Errorf("{%s} is unknown; known are {%s}, {%s}, {%s}", m[1], linkTraceID, linkSpanID,
				strings.Join(names, "}, {"))
		}
	}
	u, err := url.Parse(placeholder.ReplaceAllString(template, "x"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("it must be an http or https URL")
	}
	return nil
}

// fill adds the links whose values are known.
func (l Links) fill(ev *protocol.Event) {
	if l == (Links{}) {
		return
	}
	links := map[string]any{}
	trace, span := TraceIDs(ev)
	for name, template := range map[string]string{"trace": l.Trace, "run": l.Run} {
		complete := template != ""
		link := placeholder.ReplaceAllStringFunc(template, func(p string) string {
			value := ""
			switch key := strings.Trim(p, "{}"); key {
			case linkTraceID:
				value = trace
			case linkSpanID:
				value = span
			default:
				value = ev.Tags[linkTags[key]]
			}
			complete = complete && value != ""
			return url.PathEscape(value)
		})
		if complete {
			links[name] = link
		}
	}
	if len(links) > 0 {
		ev.Contexts[contextLinks] = links
	}
}

// TraceIDs returns the IDs of an event's trace context, which is a map if the event was decoded.
func TraceIDs(ev *protocol.Event) (trace, span string) {
	switch ctx := ev.Contexts["trace"].(type) {
	case protocol.TraceContext:
		return ctx.TraceID, ctx.SpanID
	case map[string]any:
		trace, _ = ctx["trace_id"].(string)
		span, _ = ctx["span_id"].(string)
	}
	return trace, span
}
