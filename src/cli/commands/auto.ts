import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine } from '../text.ts';

const SOURCES = { model: 'a model', default: 'its default', pinned: 'the pinned answers' } as const;

/** Where the answer to each AUTO tag of a run came from. */
export async function explainAutos(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const [name, path] = args as [string, string | undefined];
  const { document, reasons } = await withShell(terminal, async shell => {
    const document = await shell.show(name);
    const reasons = new Map<string, string>();
    for await (const event of shell.events(document.run))
      if (event.type === 'auto.resolved' && event.reason !== null) reasons.set(`${event.path ?? ''} ${event.index}`, event.reason);
    return { document, reasons };
  });
  const counters = new Map<string, number>();
  const answers = document.autos
    .map(auto => {
      const index = counters.get(auto.path) ?? 0;
      counters.set(auto.path, index + 1);
      return { ...auto, reason: reasons.get(`${auto.path} ${index}`) ?? null };
    })
    .filter(auto => path === undefined || auto.path === path || auto.path.startsWith(`${path}/`) || auto.path.startsWith(`${path}[`));
  if (flags.on('json')) {
    terminal.out(`${JSON.stringify({ v: 1, run: document.run, autos: answers }, null, 2)}\n`);
    return 0;
  }
  const { out, paintOut: paint } = terminal;
  for (const { path: at, target, value, source, model, reason } of answers) {
    out(
      `${paint('strong', escapeLine(at === '' ? target : `${at}.${target}`))} = ${escapeLine(JSON.stringify(value))}\n  from ${SOURCES[source]}${model === null ? '' : `: ${escapeLine(model)}`}${reason === null ? '' : ` (${escapeLine(reason)})`}\n`,
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
