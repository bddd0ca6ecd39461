// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Bundles src/main.jsx: node build.mjs NODE_MODULES OUTFILE
import { createRequire } from 'node:module';
import path from 'node:path';

const [modules, outfile] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'x.js'));
const { build } = require('esbuild');

// Its default export is wrapped once more than Grafana's code expects.
const scrollbars = {
  name: 'scrollbars',
  setup(b) {
    b.onResolve({ filter: /^react-custom-scrollbars-2$/ }, (a) =>
      ({ path: a.path, namespace: 'wrapped', pluginData: { dir: a.resolveDir } }));
    b.onLoad({ filter: /.*/, namespace: 'wrapped' }, (a) => ({
      contents: `const m = require(${JSON.stringify(path.join(modules, 'react-custom-scrollbars-2/lib/index.js'))});
        module.exports = m.default || m.Scrollbars || m; module.exports.Scrollbars = m.Scrollbars;`,
      resolveDir: a.pluginData.dir, loader: 'js',
    }));
  },
};

await build({
  entryPoints: [path.join(import.meta.dirname, 'src/main.jsx')],
  bundle: true, outfile, format: 'iife', platform: 'browser', jsx: 'automatic', nodePaths: [modules], logLevel: 'error',
  define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' }, mainFields: ['browser', 'module', 'main'],
  loader: { '.svg': 'dataurl', '.woff2': 'dataurl', '.woff': 'dataurl', '.ttf': 'dataurl', '.png': 'dataurl' },
  plugins: [scrollbars],
});
