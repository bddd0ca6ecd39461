// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/logline"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// joiner turns container log lines into records: one record for the first line of an entry and the lines that continue
// it. Docker sends each line separately, so that an entry may span several batches. An entry that may continue is kept
// for a short time.
type joiner struct {
	cfg  *Config
	zone *time.Location

	mu      sync.Mutex // guards streams and all in them
	streams map[streamKey]*stream
}

// streamKey identifies an output of a container. The lines of one output arrive in order.
type streamKey struct{ container, source string }

// stream has what has begun on an output and may continue.
type stream struct {
	parts *entry // a long line that Docker splits into parts
	entry *entry // an entry that further lines may continue
}

// maxStreams bounds the number of outputs with a pending entry.
const maxStreams = 256

func newJoiner(cfg *Config) (*joiner, error) {
	zone, err := time.LoadLocation(cfg.Logs.TimeZone)
	if err != nil {
		return nil, err
	}
	return &joiner{cfg: cfg, zone: zone, streams: map[streamKey]*stream{}}, nil
}

// process replaces the lines in ld with the records that are complete.
func (j *joiner) process(ld plog.Logs, now time.Time, t *tally.Tally) {
	if !j.cfg.Logs.Lines {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	out := newOutput(j.cfg, now)
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			sl.LogRecords().RemoveIf(func(record plog.LogRecord) bool {
				raw, ok := rawLineOf(rl.Resource().Attributes(), record)
				if ok {
					j.line(raw, now, out, t)
				}
				return ok
			})
		}
	}
	out.logs.ResourceLogs().MoveAndAppendTo(ld.ResourceLogs())
}

func (j *joiner) line(raw rawLine, now time.Time, out *output, t *tally.Tally) {
	key := streamKey{raw.container, raw.source}
	s, ok := j.streams[key]
	if !ok {
		if len(j.streams) >= maxStreams {
			j.release(now, true, out, t)
		}
		s = &stream{}
		j.streams[key] = s
	}
	if s.entry != nil && now.Sub(s.entry.touched) > j.cfg.Logs.JoinWait {
		s.close(out)
	}
	if raw, ok = s.assemble(raw, now, t); ok {
		j.add(s, raw, now, out, t)
	}
	if s.parts == nil && s.entry == nil {
		delete(j.streams, key)
	}
}

// assemble joins the parts of a long line. It returns false until the last part has arrived.
func (s *stream) assemble(raw rawLine, now time.Time, t *tally.Tally) (rawLine, bool) {
	if s.parts == nil {
		if !raw.partial || raw.last {
			return raw, true
		}
		s.parts = newEntry(raw, now)
		s.parts.add(raw.text, raw.at, now)
		return raw, false
	}
	t.Drop(tally.RuleJoinedLine, tally.KindLogRecord, 1)
	s.parts.add(raw.text, raw.at, now)
	if raw.partial && !raw.last {
		return raw, false
	}
	return s.whole(), true
}

func (s *stream) whole() rawLine {
	raw := s.parts.raw
	raw.text, raw.cut = s.parts.text.String(), s.parts.cut
	s.parts = nil
	return raw
}

// add appends a line to the entry that it continues, or begins a new entry with it.
func (j *joiner) add(s *stream, raw rawLine, now time.Time, out *output, t *tally.Tally) {
	line, known := logline.Parse(raw.text, j.zone)
	if !known && s.entry != nil && j.follows(s.entry, raw) {
		s.entry.add("\n"+raw.text, raw.at, now)
		t.Drop(tally.RuleJoinedLine, tally.KindLogRecord, 1)
		return
	}
	s.close(out)
	e := newEntry(raw, now)
	e.line, e.known = line, known
	message := raw.text
	if known {
		message = line.Message
	}
	e.add(message, raw.at, now)
	e.cut = e.cut || raw.cut
	s.entry = e
	if open := (known && line.Open && line.Request.Status == 0) || logline.IsTraceback(raw.text); !open {
		s.close(out)
	}
}

// follows reports whether a line in no known format can continue an entry. Dify writes an entry at once, so a line
// that arrives later is something else.
func (j *joiner) follows(e *entry, raw rawLine) bool {
	if e.last == 0 || raw.at == 0 {
		return true
	}
	return raw.at.AsTime().Sub(e.last.AsTime()) <= j.cfg.Logs.JoinWait+time.Second // Docker sends whole seconds
}

func (s *stream) close(out *output) {
	if s.entry != nil {
		out.add(s.entry)
		s.entry = nil
	}
}

// flush returns the entries that were not continued within JoinWait, or all entries.
func (j *joiner) flush(now time.Time, all bool, t *tally.Tally) plog.Logs {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := newOutput(j.cfg, now)
	j.release(now, all, out, t)
	return out.logs
}

func (j *joiner) release(now time.Time, all bool, out *output, t *tally.Tally) {
	due := func(e *entry) bool { return e != nil && (all || now.Sub(e.touched) >= j.cfg.Logs.JoinWait) }
	keys := make([]streamKey, 0, len(j.streams))
	for key := range j.streams {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b streamKey) int {
		return cmp.Or(cmp.Compare(a.container, b.container), cmp.Compare(a.source, b.source))
	})
	for _, key := range keys {
		s := j.streams[key]
		if due(s.parts) { // the rest of the line did not arrive
			j.add(s, s.whole(), now, out, t)
		}
		if due(s.entry) {
			s.close(out)
		}
		if s.parts == nil && s.entry == nil {
			delete(j.streams, key)
		}
	}
}

// output groups records by container.
type output struct {
	cfg     *Config
	now     time.Time
	logs    plog.Logs
	records map[outputKey]plog.LogRecordSlice
}

type outputKey struct{ container, service string }

func newOutput(cfg *Config, now time.Time) *output {
	return &output{cfg: cfg, now: now, logs: plog.NewLogs(), records: map[outputKey]plog.LogRecordSlice{}}
}

func (o *output) add(e *entry) {
	key := outputKey{e.raw.container, e.line.Service}
	records, ok := o.records[key]
	if !ok {
		rl := o.logs.ResourceLogs().AppendEmpty()
		o.describe(e, rl)
		records = rl.ScopeLogs().AppendEmpty().LogRecords()
		o.records[key] = records
	}
	e.write(records.AppendEmpty(), o.now)
}

// describe writes the resource of a container. All processes of Dify's image have the same service name, which its text
// lines do not contain.
func (o *output) describe(e *entry, rl plog.ResourceLogs) {
	res := rl.Resource().Attributes()
	e.raw.res.CopyTo(res)
	service := attrs.Text(e.raw.attributes, identity.AttrComposeService)
	role := identity.RoleByContainer(service, e.raw.name)
	name := e.line.Service
	if name == "" {
		switch role {
		case difysemconv.RoleAPI, difysemconv.RoleWorker, difysemconv.RoleBeat:
			name = o.cfg.Logs.ServiceName
		case difysemconv.RolePluginDaemon:
			name = emitter.ServicePluginDaemon
		default:
			name = cmp.Or(service, identity.ComposeService(e.raw.name))
		}
	}
	attrs.PutAbsent(res, attrs.ServiceName, name)
	attrs.PutAbsent(res, attrs.ServiceInstanceID, e.raw.container)
	attrs.PutAbsent(res, attrs.ContainerID, e.raw.container)
	attrs.PutAbsent(res, attrs.ContainerName, e.raw.name)
	if role == "" {
		return
	}
	attrs.PutAbsent(res, difysemconv.AttrRole, role)
	if o.cfg.ServiceNamespace != "" {
		attrs.PutAbsent(res, attrs.ServiceNamespace, o.cfg.ServiceNamespace)
	}
}
