import { levelsOf } from './cycles.ts';
import type { Plan, PlanTask } from './plan.ts';

/** A plan as a Mermaid flowchart: bodies as subgraphs, routes dotted. */
export function graph(plan: Plan): string {
  const lines = ['flowchart TD'];
  drawBlock(plan, 0, '  ', lines);
  return `${lines.join('\n')}\n`;
}

function drawBlock(plan: Plan, number: number, indent: string, lines: string[]): void {
  const { tasks } = plan.blocks[number]!;
  const name = (index: number): string => `b${number}t${index}`;
  for (const [index, task] of tasks.entries()) {
    if (task.body === undefined) lines.push(`${indent}${name(index)}[${quote(labelOf(task))}]`);
    else {
      lines.push(`${indent}subgraph ${name(index)}[${quote(labelOf(task))}]`);
      drawBlock(plan, task.body, `${indent}  `, lines);
      lines.push(`${indent}end`);
    }
  }
  for (const [index, task] of tasks.entries()) {
    for (const need of task.dependencies) lines.push(`${indent}${name(need)} --> ${name(index)}`);
    for (const [key, target] of routesOf(task)) lines.push(`${indent}${name(index)} -. ${key} .-> ${name(target)}`);
  }
}

function labelOf({ id, action, kind, handlerOnly }: PlanTask): string {
  const what = kind === 'group' ? 'parallel' : action;
  return `${id}: ${what}${handlerOnly ? ' (handler)' : ''}`;
}

function routesOf({ onSuccess, onFalse, onFailure }: PlanTask): [string, number][] {
  const routes: [string, number | undefined][] = [
    ['on_success', onSuccess],
    ['on_false', onFalse],
    ['on_failure', typeof onFailure === 'object' ? onFailure.route : undefined],
  ];
  return routes.filter((route): route is [string, number] => route[1] !== undefined);
}

/** Mermaid reads a quoted label as text, but not a quote in it. */
function quote(text: string): string {
  return `"${text.replaceAll('"', '#quot;')}"`;
}

/** A plan for a terminal: level by level, what each task waits for beside it, bodies indented. */
export function graphText(plan: Plan): string {
  const lines: string[] = [];
  writeBlock(plan, 0, '', lines);
  return `${lines.join('\n')}\n`;
}

function writeBlock(plan: Plan, number: number, indent: string, lines: string[]): void {
  const { tasks } = plan.blocks[number]!;
  const levels = levelsOf(tasks.length, task => tasks[task]!.needs);
  const order = tasks.map((_, index) => index).sort((a, b) => levels[a]! - levels[b]! || a - b);
  const first: number[] = [];
  const last: number[] = [];
  for (const index of order) {
    first[levels[index]!] ??= index;
    last[levels[index]!] = index;
  }
  const width = order.reduce((most, index) => Math.max(most, labelOf(tasks[index]!).length), 0);
  for (const [at, index] of order.entries()) {
    const task = tasks[index]!;
    const [top, bottom] = [first[levels[index]!], last[levels[index]!]];
    const mark = top === bottom ? '─' : top === index ? '┬' : bottom === index ? '└' : '├';
    const notes = [
      ...(task.dependencies.length > 0 ? [`← ${task.dependencies.map(need => tasks[need]!.id).join(', ')}`] : []),
      ...routesOf(task).map(([key, target]) => `${key} → ${tasks[target]!.id}`),
    ];
    lines.push(`${indent}${mark} ${labelOf(task).padEnd(notes.length > 0 ? width : 0)}${notes.length > 0 ? `  ${notes.join('  ')}` : ''}`);
    if (task.body !== undefined) writeBlock(plan, task.body, `${indent}${at < order.length - 1 ? '│' : ' '} `, lines);
  }
}
