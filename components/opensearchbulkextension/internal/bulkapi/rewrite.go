// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

var (
	errOddLines   = errors.New("opensearch_bulk: a bulk request ends after an action line")
	errNotAction  = errors.New("opensearch_bulk: a line of the bulk request is not an action")
	errBulkAction = errors.New("opensearch_bulk: only the bulk actions `create` and `index` are supported")
	errNoIndex    = errors.New("opensearch_bulk: a bulk action names no index")
)

// Actions of a bulk request that can be rewritten.
const (
	actionCreate = "create"
	actionIndex  = "index"
)

// Rewriter gives documents their place: id, index and day. It is safe for concurrent use.
type Rewriter struct {
	indexKeys []string
	age       time.Duration
	format    Format
	newID     func() string
	now       func() time.Time
}

// NewRewriter returns a Rewriter that fills `{key}` in an index name for each of indexKeys. A document without an id
// of its own gets a random one.
//
// A document is in the index of its own day, if that is between age ago and tomorrow. Otherwise it is in the index of
// the day on which dify_filter accepted it, so that it is in the same one whenever it is sent again. If that is not
// known either, it is in today's. A span's document gets the format.
func NewRewriter(indexKeys []string, age time.Duration, format Format) *Rewriter {
	return &Rewriter{indexKeys: indexKeys, age: age + queueSlack, format: format, newID: rand.Text, now: time.Now}
}

// queueSlack is how long a document may wait in queues until its day is judged again, without moving.
const queueSlack = 7 * 24 * time.Hour

// exporterAction is an action line as the exporter wrote it. The exporter writes the same line before every document
// of a request, so it is parsed once.
type exporterAction struct {
	raw    []byte
	head   []byte // the new line up to `"_index":"`
	id     []byte // its own id, if it has one
	create bool
	index  *indexName
}

// Rewrite reads the body of a bulk request and returns its documents with new action lines, in the same order.
// urlIndex is the index in the path of the request, if there is one. It fails as a whole for a body that is not a
// bulk request with the actions `create` and `index`.
func (r *Rewriter) Rewrite(body []byte, urlIndex string) ([]Item, error) {
	lines := bytes.Count(body, []byte{'\n'}) + 1
	out := make([]byte, 0, len(body)+lines*96)
	ends := make([]Item, 0, lines/2+1) // lengths only, since out may move while it grows
	var action exporterAction
	var s scanner
	indexed := newDays(r.now(), r.age)
	var groups map[string]traceGroup
	if r.format == FormatOTelV1 {
		groups = traceGroups(body)
	}
	for len(body) > 0 {
		var line, doc []byte
		if line, body = CutLine(body); len(line) == 0 {
			continue
		}
		if !bytes.Equal(line, action.raw) {
			var err error
			if action, err = r.parseAction(line, urlIndex); err != nil {
				return nil, err
			}
		}
		if doc, body = CutLine(body); len(doc) == 0 {
			return nil, errOddLines
		}
		start := len(out)
		s.scan(doc, action.index.wanted)
		parsed := newDocument(doc, s.found)
		day, moved, arrival := indexed.place(&parsed)
		out = r.appendAction(out, &action, &parsed, day)
		length := len(out) - start
		timestamp := shownTime(&parsed, moved, arrival, indexed.now)
		if parsed.isSpan && r.format == FormatOTelV1 {
			out = appendTraceDocument(out, parsed, timestamp, groups)
		} else {
			out = appendDocument(out, parsed, timestamp)
		}
		ends = append(ends, Item{action: length, Create: action.create, line: out[start:]})
	}
	return cutItems(ends, out), nil
}

func cutItems(items []Item, out []byte) []Item {
	for i := range items {
		n := len(items[i].line)
		items[i].line, out = out[:n:n], out[n:]
	}
	return items
}

func (r *Rewriter) parseAction(line []byte, urlIndex string) (exporterAction, error) {
	var parsed map[string]map[string]json.RawMessage
	if json.Unmarshal(line, &parsed) != nil || len(parsed) != 1 {
		return exporterAction{}, errNotAction // the parser's error may quote a document
	}
	action := exporterAction{raw: line}
	for verb, meta := range parsed {
		if verb != actionCreate && verb != actionIndex {
			return exporterAction{}, errBulkAction
		}
		action.create = verb == actionCreate
		action.id = text(meta["_id"])
		name := decoded(meta["_index"])
		if name == "" {
			name = urlIndex
		}
		if name == "" {
			return exporterAction{}, errNoIndex
		}
		action.index = parseIndexName(r.format.TraceIndexName(name), r.indexKeys)
		action.head = fmt.Appendf(nil, `{"%s":{`, verb)
		delete(meta, "_index")
		delete(meta, "_id")
		for key, value := range meta { // routing and the like
			action.head = fmt.Appendf(action.head, `"%s":%s,`, jsonText(key), value)
		}
		action.head = append(action.head, `"_index":"`...)
	}
	return action, nil
}

// appendAction writes the action line of one document. A document that is not JSON gets one as well: OpenSearch then
// rejects only that document.
func (r *Rewriter) appendAction(out []byte, action *exporterAction, doc *document, day string) []byte {
	out = append(out, action.head...)
	out = action.index.appendTo(out, doc.placeholder)
	out = append(out, '-')
	out = appendDay(out, day)
	out = append(out, `","_id":"`...)
	start := len(out)
	if out = append(out, action.id...); len(out) == start {
		out = doc.appendID(out)
	}
	if len(out) == start {
		out = append(out, r.newID()...)
	}
	return append(out, "\"}}\n"...)
}

// shownTime returns the value for a document's `@timestamp`, and nil if it keeps its own. A span gets its start, where
// the exporter writes the year 1. A document that was moved to another day gets the time of its arrival: its own time
// is kept in other fields.
func shownTime(doc *document, moved bool, arrival []byte, now time.Time) []byte {
	switch {
	case !doc.found[pathTimestamp].found():
		return nil
	case moved && arrival != nil:
		return arrival
	case moved && doc.isSpan:
		return now.AppendFormat(nil, `"`+time.RFC3339+`"`)
	case doc.isSpan:
		return doc.value(pathStartTime)
	default:
		return nil
	}
}

// appendDocument writes the document, with another `@timestamp` unless that is nil.
func appendDocument(out []byte, doc document, timestamp []byte) []byte {
	if timestamp != nil {
		at := doc.found[pathTimestamp]
		out = append(out, doc.raw[:at.start]...)
		out = append(out, timestamp...)
		out = append(out, doc.raw[at.end:]...)
	} else {
		out = append(out, doc.raw...)
	}
	return append(out, '\n')
}
