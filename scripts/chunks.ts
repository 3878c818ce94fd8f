/** What is done to the chunks of dist/ when they are whole, so that a process starts sooner (docs/decisions/0011-kept-code.md). */
import type { OutputChunk, Plugin } from 'rolldown';

/** Smaller chunks are found, linked and compiled sooner than two files of them. */
const KEPT_FROM_BYTES = 16 * 1024;

/** One letter beyond Latin makes V8 hold a whole file in two bytes a character. Escapes mean the same in texts and patterns, the only places for such letters. */
export const ascii: Plugin = {
  name: 'ascii',
  generateBundle: (_options, bundle) => {
    for (const chunk of chunksOf(bundle)) chunk.code = chunk.code.replace(/[\u0080-\uffff]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  },
};

/** Makes of each large chunk a function in a file of its own, and a module that loads it through scripts/kept-code.ts. */
export const keepCode: Plugin = {
  name: 'keep-code',
  generateBundle(_options, bundle) {
    for (const chunk of chunksOf(bundle)) {
      if (chunk.isEntry || chunk.code.length < KEPT_FROM_BYTES) continue;
      const name = chunk.fileName.replace(/^.*\//, '').replace(/\.js$/, '.code.js');
      const { imports, body, exports } = partsOf(chunk);
      const names = imports.map((_, i) => `import${i}`);
      this.emitFile({
        type: 'asset',
        fileName: chunk.fileName.replace(/[^/]*$/, name),
        source: `(function (meta, dynamicImport, ${names.join(', ')}) {\n"use strict";\n${body}\n})`,
      });
      chunk.code = [
        ...imports.map((from, i) => `import * as ${names[i]} from ${from};`),
        'import { load } from "./kept-code.js";',
        `const { ${exports.map((name, i) => `${name}: export${i}`).join(', ')} } = load(new URL("./${name}", import.meta.url))(import.meta, name => import(name), ${names.join(', ')});`,
        `export { ${exports.map((name, i) => `export${i} as ${name}`).join(', ')} };\n`,
      ].join('\n');
    }
  },
};

function chunksOf(bundle: { [file: string]: { type: string } }): OutputChunk[] {
  return Object.values(bundle).filter((file): file is OutputChunk => file.type === 'chunk');
}

/** A module taken apart: what it imports from, its code as the inside of a function, and the names that it exports. Throws where a statement is of a kind that it does not know. */
function partsOf({ fileName, code, dynamicImports }: OutputChunk): { imports: string[]; body: string; exports: string[] } {
  const imports: string[] = [];
  let exports: string[] = [];
  const lines = code.split('\n').map(line => {
    const [, clause, from] = /^import (.*) from ("[^"]*");$/.exec(line) ?? [];
    if (from !== undefined) return bindings(clause!, `import${imports.push(from) - 1}`);
    const [, list] = /^export \{ (.*) \};$/.exec(line) ?? [];
    if (list !== undefined) {
      const pairs = list.split(', ').map(pair => pair.split(' as '));
      exports = pairs.map(([inside, outside = inside]) => outside!);
      return `return { ${pairs.map(([inside, outside = inside]) => `${outside}: ${inside}`).join(', ')} };`;
    }
    if (/^(?:import|export|await)\b/.test(line)) throw new Error(`${fileName}: a chunk cannot be taken apart at ${line.slice(0, 80)}`);
    return line;
  });
  const body = lines
    .join('\n')
    .replaceAll('import.meta.url', 'meta.url')
    .replaceAll(/(?<![\w.])import\(/g, 'dynamicImport(');
  if (dynamicImports.length > body.split('dynamicImport(').length - 1) throw new Error(`${fileName}: not all of its dynamic imports were found`);
  return { imports, body, exports };
}

function bindings(clause: string, module: string): string {
  const [, whole, , own, named] = /^(?:\* as (\w+)|((\w+)(?:, )?)?(?:\{ (.*) \})?)$/.exec(clause) ?? [];
  if (whole !== undefined) return `const ${whole} = ${module};`;
  const names = [...(own === undefined ? [] : [`default: ${own}`]), ...(named === undefined ? [] : [named.replaceAll(' as ', ': ')])];
  if (names.length === 0) throw new Error(`an import of an unknown kind: ${clause}`);
  return `const { ${names.join(', ')} } = ${module};`;
}
