import { programVersion } from './version.ts';

/** Ends the process once what was printed has left it. */
function exit(code: number): void {
  process.exitCode = code;
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

async function main(argv: readonly string[]): Promise<void> {
  // A reader that has seen enough (`| head`) is no fault of anybody's.
  process.stdout.on('error', error => process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 0 : 70));
  if (argv.length === 1 && argv[0] === '--version') {
    process.stdout.write(`orchestrator ${programVersion()}\n`);
    return;
  }
  const [{ buildProgram, globalFlags, usageProblem }, { CommanderError }, { openTerminal }] = await Promise.all([
    import('./program.ts'),
    import('commander'),
    import('./terminal.ts'),
  ]);
  let code = 0;
  let isDone = false;
  const fault = async (error: unknown): Promise<void> => {
    const { tellFault } = await import('./failure.ts');
    exit(await tellFault(openTerminal(globalFlags(program.opts())), error));
  };
  process.on('uncaughtException', error => void fault(error));
  process.on('unhandledRejection', error => void fault(error));
  // Nothing is left that could wake the process, and the command has not ended: a fault of ours, which is told as one.
  process.on('beforeExit', () => {
    if (!isDone) void fault(new Error('the command waits for something that never comes'));
  });
  const program = buildProgram(async (load, terminal, invocation) => {
    try {
      code = await (await load())(terminal, invocation);
    } catch (error) {
      const { tellError } = await import('./failure.ts');
      code = await tellError(terminal, error);
    }
  });
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const problem = usageProblem(error, argv);
    if (problem !== undefined) {
      const { tellError } = await import('./failure.ts');
      code = await tellError(openTerminal(globalFlags(program.opts())), problem);
    }
  }
  isDone = true;
  exit(code);
}

await main(process.argv.slice(2));
