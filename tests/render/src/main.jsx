// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Draws all dashboards below each other, with data from a Prometheus, and posts to /result what could not be drawn and where
// each dashboard is in the picture. Parameters: prometheus, theme (light or dark), to (seconds since 1970), range (seconds).
import React from 'react';
import { createRoot } from 'react-dom/client';
import {
  applyFieldOverrides, createTheme, dateTime, FieldColorModeId, FieldConfigOptionsRegistry, FieldType, getDisplayProcessor,
  getFieldDisplayName, toDataFrame,
} from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, Table, ThemeContext, TimeSeries } from '@grafana/ui';
import 'uplot/dist/uPlot.min.css';
import { GraphDrawStyle, LegendDisplayMode, StackingMode } from '@grafana/schema';

const parameters = new URLSearchParams(location.search);
const prometheus = parameters.get('prometheus');
const theme = createTheme({ colors: { mode: parameters.get('theme') } });
const range = Number(parameters.get('range'));
const to = Number(parameters.get('to'));
const from = to - range;
const step = Math.max(1, Math.floor(range / 90));
const WIDTH = 1600, COLUMN = WIDTH / 24, ROW = 34, GAP = 8, HEADER = 56;

const problems = []; // {board, panel, text}

// The options that a dashboard's overrides may set.
const registry = new FieldConfigOptionsRegistry(() =>
  ['unit', 'min', 'max', 'decimals', 'displayName', 'noValue', 'color', 'thresholds', 'mappings', 'links', 'custom.cellOptions']
    .map((id) => ({
      id, path: id.replace('custom.', ''), name: id, isCustom: id.startsWith('custom.'), process: (v) => v,
      shouldApply: () => true, override: (v) => v, editor: () => null,
    })));

const legend = (format, labels) =>
  !format || format === '__auto'
    ? Object.entries(labels).filter(([k]) => k !== '__name__').map(([, v]) => v).join(' ')
    : format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, k) => labels[k] ?? '').trim();

async function ask(target) {
  const query = target.instant ? `query?time=${to}` : `query_range?start=${from}&end=${to}&step=${step}`;
  const answer = await (await fetch(`${prometheus}/api/v1/${query}&query=${encodeURIComponent(target.expr)}`)).json();
  if (answer.status !== 'success') throw new Error(answer.error);
  return answer.data.result;
}

// The table as the transformation "organize" leaves it.
function tableFrame(panel, series) {
  const { excludeByName, indexByName, renameByName } = panel.transformations[0].options;
  const names = Object.keys(indexByName).filter((n) => !excludeByName[n])
    .filter((n) => n === 'Value' || series.some((s) => n in s.metric)) // labels that no series has are no columns
    .sort((a, b) => indexByName[a] - indexByName[b]);
  return toDataFrame({
    fields: names.map((name) => ({
      name: renameByName[name] ?? name,
      type: name === 'Value' ? FieldType.number : FieldType.string,
      values: series.map((s) => (name === 'Value' ? Number(s.value[1]) : s.metric[name] ?? '')),
    })),
  });
}

function seriesFrame(target, s) {
  const points = s.values ?? [s.value];
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: points.map((p) => p[0] * 1000) },
      {
        name: 'Value', type: FieldType.number, values: points.map((p) => (p[1] === 'NaN' ? null : Number(p[1]))),
        labels: s.metric, config: { displayNameFromDS: legend(target.legendFormat, s.metric) },
      },
    ],
  });
}

async function framesOf(panel) {
  const frames = [];
  for (const target of panel.targets) {
    const series = await ask(target);
    if (panel.type === 'table') {
      if (series.length) frames.push(tableFrame(panel, series));
    } else {
      frames.push(...series.map((s) => seriesFrame(target, s)));
    }
  }
  const hasNumber = (field) => field.type === FieldType.number && field.values.some((v) => v !== null);
  return frames.filter((frame) => frame.length && frame.fields.some(hasNumber));
}

function styled(panel, frames) {
  const out = applyFieldOverrides({
    data: frames, fieldConfig: { defaults: panel.fieldConfig.defaults, overrides: panel.fieldConfig.overrides ?? [] },
    replaceVariables: (s) => s, theme, timeZone: 'utc', fieldConfigRegistry: registry,
  });
  const custom = panel.fieldConfig.defaults.custom ?? {};
  let index = 0;
  for (const frame of out) {
    for (const field of frame.fields.filter((f) => f.type === FieldType.number)) {
      field.state = { ...field.state, seriesIndex: index++ };
      if (panel.type === 'timeseries') {
        field.config.color = field.config.color ?? { mode: FieldColorModeId.PaletteClassic };
        field.config.custom = {
          ...custom, drawStyle: GraphDrawStyle.Line, axisPlacement: 'auto', scaleDistribution: { type: 'linear' },
          stacking: { mode: custom.stacking?.mode ?? StackingMode.None, group: 'A' },
        };
      }
      field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
    }
  }
  return out;
}

function Body({ panel, frames, width, height }) {
  if (!frames.length) {
    return <div style={{ textAlign: 'center', marginTop: height / 3 }}>{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>;
  }
  const data = styled(panel, frames);
  if (panel.type === 'stat') {
    return <div style={{ display: 'flex' }}>{data.map((frame, i) => {
      const field = frame.fields[1];
      const named = data.length > 1 || panel.options.textMode === 'value_and_name';
      const value = {
        ...field.display(field.values[field.values.length - 1]), title: named ? getFieldDisplayName(field, frame, data) : undefined,
      };
      return <BigValue key={i} theme={theme} width={width / data.length} height={height} value={value} graphMode="none"
        colorMode="value" justifyMode="auto" textMode={panel.options.textMode ?? 'auto'} />;
    })}</div>;
  }
  if (panel.type === 'table') {
    return <Table data={data[0]} width={width} height={height} initialSortBy={panel.options.sortBy} />;
  }
  if (panel.type === 'timeseries') {
    const timeRange = { from: dateTime(from * 1000), to: dateTime(to * 1000) };
    const legendOptions = { displayMode: LegendDisplayMode.List, placement: 'bottom', calcs: [], showLegend: true };
    return <TimeSeries frames={data} width={width} height={height} timeRange={{ ...timeRange, raw: timeRange }} timeZone="utc"
      legend={legendOptions} />;
  }
  throw new Error(`panels of type ${panel.type} can't be drawn`);
}

class Catch extends React.Component {
  constructor(props) { super(props); this.state = {}; }
  static getDerivedStateFromError(error) { return { error }; }
  componentDidCatch(error) { problems.push({ board: this.props.board, panel: this.props.panel.title, text: String(error) }); }
  render() { return this.state.error ? <pre>{String(this.state.error)}</pre> : this.props.children; }
}

function Board({ board, frames }) {
  const bottom = Math.max(...board.panels.map((p) => p.gridPos.y + p.gridPos.h));
  const style = {
    position: 'relative', width: WIDTH, height: bottom * ROW + HEADER + GAP, background: theme.colors.background.canvas,
    color: theme.colors.text.primary,
  };
  return <div id={board.uid} className="board" style={style}>
    <h3 style={{ padding: '14px 16px', margin: 0 }}>{board.title}</h3>
    {board.panels.map((panel, i) => {
      const { x, y, w, h } = panel.gridPos;
      const width = w * COLUMN - GAP, height = h * ROW - GAP;
      return <div key={i} style={{ position: 'absolute', left: x * COLUMN + GAP / 2, top: y * ROW + HEADER, width, height }}>
        <Catch board={board.title} panel={panel}>
          <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
            {(innerWidth, innerHeight) => <Catch board={board.title} panel={panel}>
              <Body panel={panel} frames={frames[i]} width={innerWidth} height={innerHeight} />
            </Catch>}
          </PanelChrome>
        </Catch>
      </div>;
    })}
  </div>;
}

async function draw() {
  const boards = await (await fetch('/boards.json')).json();
  const frames = [];
  for (const board of boards) {
    frames.push(await Promise.all(board.panels.map(async (panel) => {
      const report = (text) => { problems.push({ board: board.title, panel: panel.title, text }); return []; };
      const found = await framesOf(panel).catch((e) => report(String(e)));
      return found.length ? found : report('no data');
    })));
  }
  document.body.style.margin = 0;
  createRoot(document.getElementById('root')).render(<ThemeContext.Provider value={theme}>
    <GlobalStyles />
    {boards.map((board, i) => <Board key={board.uid} board={board} frames={frames[i]} />)}
  </ThemeContext.Provider>);
  await new Promise((done) => setTimeout(done, 3000));
  return [...document.querySelectorAll('.board')].map((e) =>
    ({ uid: e.id, top: Math.round(e.getBoundingClientRect().top + scrollY), height: e.offsetHeight }));
}

draw().catch((e) => { problems.push({ board: '', panel: '', text: String(e.stack ?? e) }); return []; })
  .then((boards) => fetch('/result', { method: 'POST', body: JSON.stringify({ problems, boards }) }));
