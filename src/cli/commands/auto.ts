import { answerName, answersOf } from '../answers.ts';
import { planOf } from '../drive.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine } from '../text.ts';

const SOURCES = { model: 'a model', default: 'its default', pinned: 'the pinned answers' } as const;

/** Where the answer to each AUTO tag of a run came from. */
export async function explainAutos(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const [name, path] = args as [string, string | undefined];
  const { document, all } = await withShell(terminal, async shell => {
    const document = await shell.show(name);
    return { document, all: await answersOf(shell, document, await planOf(shell, document.run)) };
  });
  const answers = all.filter(auto => path === undefined || auto.path === path || auto.path.startsWith(`${path}/`) || auto.path.startsWith(`${path}[`));
  if (flags.on('json')) {
    terminal.out(`${JSON.stringify({ v: 1, run: document.run, autos: answers.map(({ tag: _tag, ...answer }) => answer) }, null, 2)}\n`);
    return 0;
  }
  const { out, paintOut: paint } = terminal;
  for (const answer of answers) {
    const { value, source, model, reason } = answer;
    out(
      `${paint('strong', escapeLine(answerName(answer)))} = ${escapeLine(JSON.stringify(value))}\n  from ${SOURCES[source]}${model === null ? '' : `: ${escapeLine(model)}`}${reason === null ? '' : ` (${escapeLine(reason)})`}\n`,
    );
  }
  if (!terminal.quiet)
    terminal.err(
      answers.length === 0
        ? `${document.run} answered no AUTO tags${path === undefined ? '' : ` at ${path}`}\n`
        : `${count(answers.length, 'answer')}; replay, resume and fork never ask again\n`,
    );
  return 0;
}
