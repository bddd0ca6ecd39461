// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Prints texts as Node writes them, with what V8's own call sites say they contain: node node.mjs > node.jsonl
import fs from 'node:fs/promises';
import util from 'node:util';

class Named extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = 'Named';
  }
}
class Subclass extends Error {}

function describe(error, showsAll) {
  const sites = seen.get(error) ?? [];
  const head = [error.name, error.message].filter(Boolean).join(': ');
  const want = {
    type: error.name,
    final: head,
    frames: sites
      .map((s) => ({
        file: s.isEval() ? '' : (s.getScriptNameOrSourceURL() ?? ''),
        line: s.isEval() || s.isPromiseAll() ? 0 : (s.getLineNumber() ?? 0),
        column: s.isEval() || s.isPromiseAll() ? 0 : (s.getColumnNumber() ?? 0),
      }))
      .reverse(),
    members: [],
  };
  if (showsAll && error.cause) {
    want.cause = describe(error.cause, true);
    want.relation = 'cause';
  }
  if (showsAll && error.errors) want.members = error.errors.map((e) => describe(e, true));
  return want;
}

const seen = new Map();

async function error(f) {
  try {
    await f();
  } catch (e) {
    return e;
  }
}

async function record(name, f, inspect) {
  Error.prepareStackTrace = (e, sites) => {
    seen.set(e, sites);
    return `${e}\n` + sites.map((s) => `    at ${s}`).join('\n');
  };
  const e = await error(f);
  const all = [e, e.cause, e.cause?.cause, ...(e.errors ?? [])].filter(Boolean);
  for (const each of all) void each.stack;
  Error.prepareStackTrace = undefined;
  const text = inspect ? util.inspect(e) : e.stack;
  const line = JSON.stringify({ name, text, want: describe(e, inspect) });
  console.log(line.replaceAll(import.meta.url, 'file:///app/web/example.mjs'));
}

await record('property of null', () => null.x);
await record('several lines', () => {
  throw new Named('first\nsecond: line');
});
await record('subclass without a name', () => {
  throw new Subclass('outer');
});
await record('no message', () => {
  throw new RangeError();
});
await record('JSON.parse', () => JSON.parse('{bad'));
await record('methods, accessors, constructors', () => {
  class K {
    static s() {
      throw new TypeError('in a static method');
    }
    get g() {
      return K.s();
    }
  }
  [1].map(function inner() {
    return new (class Foo {
      constructor() {
        new K().g;
      }
    })();
  });
});
await record('eval', () => {
  eval('(function q() { throw new Error("in eval") })()');
});
await record('new Function', () => new Function('throw new Error("made")')());
await record('name with a blank', () => {
  const o = {
    'a b'() {
      throw new Error('blank');
    },
  };
  o['a b']();
});
await record('await', async () => {
  const inner = async () => {
    await fs.readFile('/nonexistent/file');
    throw new Error('not reached');
  };
  await inner().catch((e) => {
    throw new Error(`wrapped ${e.code}`);
  });
});
await record('Promise.all', async () => {
  const fail = async () => {
    await null;
    throw new Error('one of them');
  };
  await Promise.all([fail()]);
});
await record('timer', () => new Promise((_, no) => setTimeout(() => no(new Error('late')), 1)));
await record('message that looks like a frame', () => {
  throw new Error('see:\n  at the end of the file (really)');
});
await record('cause', async () => {
  try {
    null.x;
  } catch (e) {
    throw new Named('with a cause', { cause: e });
  }
}, true);
await record('cause of a cause', () => {
  throw new Error('top', { cause: new Named('middle', { cause: new TypeError('root') }) });
}, true);
await record('properties', () => {
  throw Object.assign(new Error('with properties'), { code: 'E_X', status: 500, response: { headers: { a: 'b' } } });
}, true);
await record('aggregate', () => {
  throw new AggregateError([new Error('a'), new TypeError('b')], 'both failed');
}, true);
