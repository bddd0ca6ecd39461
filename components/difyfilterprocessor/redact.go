// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"regexp"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// contentKeys are the attributes with content of users and models. Dify's community edition has no switch for them.
var contentKeys = map[string]string{
	"gen_ai.prompt":              actionDrop,
	"gen_ai.prompt.*":            actionDrop,
	"gen_ai.completion":          actionDrop,
	"gen_ai.completion.*":        actionDrop,
	"gen_ai.input.messages":      actionDrop,
	"gen_ai.output.messages":     actionDrop,
	"gen_ai.system_instructions": actionDrop,
	"gen_ai.tool.call.arguments": actionDrop,
	"gen_ai.tool.call.result":    actionDrop,
	"gen_ai.tool.definitions":    actionDrop,
	"input.value":                actionDrop,
	"output.value":               actionDrop,
	"retrieval.query":            actionDrop,
	"retrieval.document":         actionDrop,
	"retrieval.documents":        actionDrop,
	"http.request.body":          actionDrop,
	"http.response.body":         actionDrop,
	"messaging.message.body":     actionDrop,
	"db.query.parameter.*":       actionDrop,
	"inputs":                     actionDrop, // this and the following ones are from Dify's JSON log lines
	"outputs":                    actionDrop,
	"query":                      actionDrop,
	"prompt":                     actionDrop,
	"answer":                     actionDrop,
}

const hashMark = "sha256:"

// redactor removes content by key, and secrets from every text.
type redactor struct {
	cfg      *RedactionConfig
	exact    map[string]string
	prefixes []prefixAction
	lengths  [256]uint64 // by first byte, the lengths of the exact keys: excludes most keys
	starts   [256]bool   // first bytes of prefixes
	scrubber scrubber
	pool     *cleanPool
	clean    *cleanMemory // of the current batch, like tally; see with
	tally    *tally.Tally
}

type prefixAction struct{ prefix, action string }

func newRedactor(cfg *RedactionConfig) *redactor {
	r := &redactor{cfg: cfg, exact: map[string]string{}, pool: &cleanPool{}}
	keys := maps.Clone(contentKeys)
	maps.Copy(keys, cfg.Keys)
	for key, action := range keys {
		if prefix, ok := strings.CutSuffix(key, "*"); ok {
			r.prefixes, r.starts[key[0]] = append(r.prefixes, prefixAction{prefix, action}), true
		} else {
			r.exact[key] = action
			r.lengths[key[0]] |= lengthBit(key)
		}
	}
	for _, pattern := range cfg.SecretPatterns {
		r.scrubber.patterns = append(r.scrubber.patterns, regexp.MustCompile(pattern)) // Validate has compiled it
	}
	return r
}

// with returns the redactor of one batch, which counts into t. The caller must call done.
func (r *redactor) with(t *tally.Tally) *redactor {
	counting := *r
	counting.tally, counting.clean = t, r.pool.get()
	return &counting
}

func (r *redactor) done() { r.pool.put(r.clean) }

func (r *redactor) spans(ss ptrace.ScopeSpans) {
	r.scope(ss.Scope())
	r.set(ss.SchemaUrl(), ss.SetSchemaUrl)
	for _, span := range ss.Spans().All() {
		r.attributes(span.Attributes())
		r.set(span.Name(), span.SetName)
		r.message(span.Status().Message(), span.Status().SetMessage)
		for _, event := range span.Events().All() {
			r.set(event.Name(), event.SetName)
			r.attributes(event.Attributes())
		}
		for _, link := range span.Links().All() {
			r.attributes(link.Attributes())
			r.set(link.TraceState().AsRaw(), link.TraceState().FromRaw)
		}
		r.set(span.TraceState().AsRaw(), span.TraceState().FromRaw)
	}
}

func (r *redactor) records(sl plog.ScopeLogs) {
	r.scope(sl.Scope())
	r.set(sl.SchemaUrl(), sl.SetSchemaUrl)
	for _, record := range sl.LogRecords().All() {
		r.attributes(record.Attributes())
		r.body(record.Body())
		r.set(record.EventName(), record.SetEventName)
	}
}

// metrics redacts labels too. Points that become equal are added up if possible.
func (r *redactor) metrics(rm pmetric.ResourceMetrics) {
	r.attributes(rm.Resource().Attributes())
	r.set(rm.SchemaUrl(), rm.SetSchemaUrl)
	for _, sm := range rm.ScopeMetrics().All() {
		r.scope(sm.Scope())
		r.set(sm.SchemaUrl(), sm.SetSchemaUrl)
		for _, m := range sm.Metrics().All() {
			r.set(m.Description(), m.SetDescription)
			changed := false
			attrs.EachPointOf(m, func(p attrs.Point) {
				changed = r.attributes(p.Attributes()) || changed
				r.exemplars(p)
			})
			if changed {
				r.tally.Drop(tally.RuleMergedSeries, tally.KindDataPoint, attrs.Narrow(m, nil))
			}
		}
	}
}

func (r *redactor) exemplars(p attrs.Point) {
	carrier, ok := p.(interface{ Exemplars() pmetric.ExemplarSlice })
	if !ok {
		return
	}
	for _, e := range carrier.Exemplars().All() {
		r.attributes(e.FilteredAttributes())
	}
}

func (r *redactor) scope(scope pcommon.InstrumentationScope) {
	r.set(scope.Name(), scope.SetName)
	r.set(scope.Version(), scope.SetVersion)
	r.attributes(scope.Attributes())
}

// set scrubs a text outside of attributes.
func (r *redactor) set(value string, to func(string)) {
	if !r.cfg.Secrets || value == "" {
		return
	}
	if clean, found := r.clean.scrub(&r.scrubber, value); found {
		to(clean)
		r.tally.Redact(tally.ReasonSecret)
	}
}

// body redacts the body of a record: a string as a message, a map or slice like attributes.
func (r *redactor) body(v pcommon.Value) {
	if v.Type() == pcommon.ValueTypeStr {
		r.message(v.Str(), v.SetStr)
	}
	r.value("", v)
}

// message removes the content that a text about an event quotes, and scrubs it.
func (r *redactor) message(value string, to func(string)) {
	if r.cfg.Messages && value != "" {
		clean, found := repeat(value, func(text string) (string, bool) {
			cuts := findContent(nil, text, r.cfg.URLQueries)
			if len(cuts) == 0 {
				return text, false
			}
			return apply(text, cuts), true
		})
		if found {
			to(clean)
			value = clean
			r.tally.Redact(tally.ReasonMessage)
		}
	}
	r.set(value, to)
}

// attributes redacts a map of attributes and reports whether it changed it.
func (r *redactor) attributes(attributes pcommon.Map) bool {
	before := r.tally.Redacted()
	dropped := false
	for key, v := range attributes.All() {
		dropped = r.attribute(key, v, attributes) || dropped
	}
	if dropped {
		attributes.RemoveIf(func(key string, _ pcommon.Value) bool { return r.drops(key) })
	}
	return before != r.tally.Redacted()
}

func (r *redactor) drops(key string) bool {
	action := r.action(key)
	return action == actionDrop || (action == "" && key == attrs.URLQuery && r.cfg.URLQueries)
}

// attribute redacts one attribute and reports whether the caller must remove it.
func (r *redactor) attribute(key string, v pcommon.Value, attributes pcommon.Map) bool {
	switch r.action(key) {
	case actionDrop:
		r.tally.Redact(tally.ReasonKey)
		return true
	case actionHash:
		r.hash(v)
		return false
	case actionTruncate:
		r.value(key, v) // before truncation, which could leave an unrecognizable half of a secret
		r.truncate(v)
	case "":
		if key == attrs.URLQuery && r.cfg.URLQueries {
			r.tally.Redact(tally.ReasonQuery)
			return true
		}
	}
	if v.Type() == pcommon.ValueTypeStr {
		r.byMeaning(key, v, attributes)
	}
	r.value(key, v)
	return false
}

// byMeaning removes what is content by the meaning of the key: literals of a statement, the query of a URL.
func (r *redactor) byMeaning(key string, v pcommon.Value, attributes pcommon.Map) {
	switch key {
	case "db.statement", "db.query.text":
		if !r.cfg.SQL {
			return
		}
		if clean, found := r.clean.withoutLiterals(v.Str(), cmp.Or(attrs.Text(attributes, attrs.OldDBSystem), attrs.Text(attributes, "db.system.name"))); found {
			v.SetStr(clean)
			r.tally.Redact(tally.ReasonSQL)
		}
	case attrs.OldHTTPURL, attrs.OldHTTPTarget, attrs.HTTPRoute, attrs.URLPath, attrs.URLFull:
		if bare, _, found := strings.Cut(v.Str(), "?"); r.cfg.URLQueries && found {
			v.SetStr(bare)
			r.tally.Redact(tally.ReasonQuery)
		}
	}
}

func lengthBit(key string) uint64 { return 1 << min(len(key), 63) }

func (r *redactor) action(key string) string {
	if key == "" {
		return ""
	}
	if r.lengths[key[0]]&lengthBit(key) != 0 {
		if action, ok := r.exact[key]; ok {
			return action
		}
	}
	if !r.starts[key[0]] {
		return ""
	}
	action, longest := "", -1
	for _, p := range r.prefixes {
		if len(p.prefix) > longest && strings.HasPrefix(key, p.prefix) {
			action, longest = p.action, len(p.prefix)
		}
	}
	return action
}

// value scrubs a value and everything in it. If the key itself is the name of a secret, every text is a secret.
func (r *redactor) value(key string, v pcommon.Value) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		r.str(key, v)
	case pcommon.ValueTypeBytes:
		r.bytes(key, v)
	case pcommon.ValueTypeSlice:
		for _, child := range v.Slice().All() {
			r.value(key, child)
		}
	case pcommon.ValueTypeMap:
		if secretWord(key) == "" {
			r.attributes(v.Map())
			return
		}
		for _, child := range v.Map().All() {
			r.value(key, child)
		}
	case pcommon.ValueTypeDouble:
		if r.number(v) {
			r.str(key, v)
		}
	default: // other numbers and booleans can't contain a secret
	}
}

// number converts a number that JSON can't represent to text. The stock OpenSearch exporter drops the whole span or
// record because of such a number.
func (r *redactor) number(v pcommon.Value) bool {
	word := ""
	switch d := v.Double(); {
	case math.IsNaN(d):
		word = "NaN"
	case math.IsInf(d, 1):
		word = "Infinity"
	case math.IsInf(d, -1):
		word = "-Infinity"
	default:
		return false
	}
	v.SetStr(word)
	r.tally.Redact(tally.ReasonNumber)
	return true
}

// bytes never modifies the bytes in place, since a copy of the data in another pipeline shares them.
func (r *redactor) bytes(key string, v pcommon.Value) {
	text := pcommon.NewValueStr(string(v.Bytes().AsRaw()))
	before := text.Str()
	r.str(key, text)
	if text.Str() != before {
		v.SetEmptyBytes().FromRaw([]byte(text.Str()))
	}
}

func (r *redactor) str(key string, v pcommon.Value) {
	if isMessage(key) {
		r.message(v.Str(), v.SetStr)
		return
	}
	value := v.Str()
	if !r.cfg.Secrets || value == "" {
		return
	}
	if secretWord(key) != "" {
		if value != mask && !isHarmless(value) && !isPlaceholder(value) {
			v.SetStr(mask)
			r.tally.Redact(tally.ReasonSecret)
		}
		return
	}
	if clean, found := r.clean.scrub(&r.scrubber, value); found {
		v.SetStr(clean)
		r.tally.Redact(tally.ReasonSecret)
	}
}

// hash replaces a value with its hash, so that equal values can be recognized.
func (r *redactor) hash(v pcommon.Value) {
	value := v.AsString()
	if digest, ok := strings.CutPrefix(value, hashMark); ok && isDigest(digest) {
		return // already hashed
	}
	h := sha256.New()
	if r.cfg.HashKey != "" {
		h = hmac.New(sha256.New, []byte(r.cfg.HashKey))
	}
	h.Write([]byte(value))
	v.SetStr(hashMark + hex.EncodeToString(h.Sum(nil)))
	r.tally.Redact(tally.ReasonKey)
}

// truncate cuts a value after TruncateTo bytes, never within a character. A value that is already cut is left alone.
func (r *redactor) truncate(v pcommon.Value) {
	value := v.AsString()
	if len(value) <= r.cfg.TruncateTo {
		return
	}
	if cut := attrs.FirstBytes(value, r.cfg.TruncateTo) + attrs.TruncatedMark; cut != value {
		v.SetStr(cut)
		r.tally.Redact(tally.ReasonKey)
	}
}

// isDigest reports whether a text is a SHA-256 digest as hash writes it.
func isDigest(text string) bool {
	digest, err := hex.DecodeString(text)
	return err == nil && len(digest) == sha256.Size
}
