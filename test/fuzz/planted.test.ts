import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'vitest';

/** Small deliberate faults. The fuzzer must find each of them within a thousand inputs, or its checks are worth nothing. */
const BUGS: { fuzzer: string; name: string; file: string; find: string; put: string }[] = [
  { fuzzer: 'http', name: 'a reply of any size is read', file: 'tools/client.ts', find: 'if (size > maxBytes)', put: 'if (size > 2 ** 40)' },
  { fuzzer: 'http', name: 'a server that switches protocols is waited for', file: 'tools/client.ts', find: "outgoing.on('close'", put: "outgoing.on('never'" },
  { fuzzer: 'http', name: 'terminals obey the words of a service', file: 'models/failures.ts', find: '/[\\s\\p{Cc}]+/gu', put: '/ +/gu' },
  { fuzzer: 'http', name: 'keys are repeated', file: 'models/failures.ts', find: 'secret.length >= 8', put: 'secret.length >= 80' },
  {
    fuzzer: 'http',
    name: 'a count may be any number',
    file: 'models/ai-sdk-reply.ts',
    find: 'Number.isSafeInteger(tokens) && (tokens as number) >= 0',
    put: 'true',
  },
  { fuzzer: 'http', name: 'numbers may be beyond all doubles', file: 'json.ts', find: 'return Number.isFinite(value);', put: 'return true;' },
  {
    fuzzer: 'configuration',
    name: 'any file may allow code',
    file: 'runtime/config/trust.ts',
    find: "=== 'allow') add(['policy', 'code']",
    put: "=== 'no') add(['policy', 'code']",
  },
  { fuzzer: 'configuration', name: 'problems stand anywhere', file: 'runtime/config/file.ts', find: 'end: range[1] }', put: 'end: range[1] + 1000 }' },
  { fuzzer: 'yaml', name: 'problems stand beyond the file', file: 'language/nodes.ts', find: 'end: Math.max(range[0], range[1])', put: 'end: range[1] + 200' },
  {
    fuzzer: 'yaml',
    name: 'fmt loses the last key',
    file: 'language/print.ts',
    find: '  orderTasks(pipeline);\n  const',
    put: '  pipeline.items.pop();\n  const',
  },
  {
    fuzzer: 'auto',
    name: 'tags stand a column further on',
    file: 'language/source.ts',
    find: 'offset - source.lineStarts[low]! + 1',
    put: 'offset - source.lineStarts[low]! + 2',
  },
  {
    fuzzer: 'templates',
    name: 'problems stand beyond the text',
    file: 'language/expression/lexer.ts',
    find: "'ORC-305', message, { start, end }",
    put: "'ORC-305', message, { start, end: end + 3 }",
  },
  {
    fuzzer: 'journal',
    name: 'links are believed',
    file: 'store/journal.ts',
    find: 'if (chainLink(last.checksum, run, link.seq, link.events) !== link.checksum)',
    put: 'if (link.events === "")',
  },
];

/** Runs a fuzzer over sources of which one has one text replaced while it is loaded. */
function run(fuzzer: string, bug?: { file: string; find: string; put: string }): Promise<string> {
  const hook = `import { registerHooks } from 'node:module';
    const { file, find, put } = ${JSON.stringify(bug ?? { file: '', find: '', put: '' })};
    registerHooks({ load(url, context, next) {
      const loaded = next(url, context);
      if (file === '' || !url.endsWith('/src/' + file)) return loaded;
      const parts = String(loaded.source).split(find);
      if (parts.length !== 2) { console.error(file + ' does not hold it once: ' + find); process.exit(3); }
      return { ...loaded, source: parts.join(put) };
    } });`;
  const args = ['--import', `data:text/javascript,${encodeURIComponent(hook)}`, join(import.meta.dirname, `${fuzzer}.fuzz.ts`), '--count', '1000'];
  return new Promise(resolve => {
    execFile(process.execPath, args, { timeout: 90_000, maxBuffer: 1 << 28 }, (_, stdout, stderr) => resolve(stderr + stdout));
  });
}

describe('the fuzzers', { timeout: 120_000 }, () => {
  test.for(BUGS)('$fuzzer finds: $name', async ({ fuzzer, file, find, put }, { expect: check }) => {
    check(await run(fuzzer, { file, find, put })).toMatch(/^\d+ inputs, [1-9]\d* failures/m);
  });
});
