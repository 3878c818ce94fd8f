import { canonicalJson, type Json } from '../../json.ts';
import { answerName, answersOf, type TagAnswer } from '../answers.ts';
import { planOf } from '../drive.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine, fit } from '../text.ts';

interface Side {
  run: string;
  answers: Map<string, TagAnswer>;
}

/** What two runs were answered: where they differ. */
export async function diffAutos(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const [a, b] = await withShell(terminal, async shell => {
    const sides: Side[] = [];
    for (const name of args) {
      const document = await shell.show(name);
      sides.push({
        run: document.run,
        answers: new Map((await answersOf(shell, document, await planOf(shell, document.run))).map(answer => [answerName(answer), answer])),
      });
    }
    return sides as [Side, Side];
  });
  const names = [...new Set([...a.answers.keys(), ...b.answers.keys()])];
  const differing = names.filter(name => textOf(a.answers.get(name)) !== textOf(b.answers.get(name)));
  if (flags.on('json')) {
    const differences = differing.map(at => ({ at, a: told(a.answers.get(at)), b: told(b.answers.get(at)) }));
    terminal.out(`${JSON.stringify({ v: 1, a: a.run, b: b.run, same: names.length - differing.length, differences }, null, 2)}\n`);
    return 0;
  }
  const { out, err, quiet, paintOut: paint, outIsTerminal, columns } = terminal;
  const width = (outIsTerminal ? columns : 120) - 4;
  for (const name of differing) {
    out(`${paint('strong', escapeLine(name))}\n`);
    out(`  ${paint('error', '-')} ${fit(sideText(a.answers.get(name)), width)}\n  ${paint('ok', '+')} ${fit(sideText(b.answers.get(name)), width)}\n`);
  }
  if (!quiet) err(`${count(differing.length, 'answer')} of ${names.length} ${differing.length === 1 ? 'differs' : 'differ'} between ${a.run} and ${b.run}\n`);
  return 0;
}

function textOf(answer: TagAnswer | undefined): string | undefined {
  return answer === undefined ? undefined : canonicalJson(answer.value);
}

function told(answer: TagAnswer | undefined): { [key: string]: Json } | null {
  return answer === undefined ? null : { value: answer.value, source: answer.source, model: answer.model };
}

function sideText(answer: TagAnswer | undefined): string {
  if (answer === undefined) return '(not asked)';
  return `${escapeLine(JSON.stringify(answer.value))}  (${answer.model ?? answer.source})`;
}
