import { OrchestratorError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { Action, ActionSpec } from './port.ts';

/** An action that has no code here: the engine does it, durably, while the process may come and go. */
function byEngine(spec: ActionSpec & Required<Pick<ActionSpec, 'engine'>>): Action {
  return {
    ...spec,
    run: () => {
      throw new OrchestratorError('ORC-700', `${spec.name} is done by the engine and was handed to a worker.`, { class: 'internal' });
    },
  };
}

function schema(properties: JsonObject, required: string[]): JsonObject {
  return { type: 'object', properties, required, additionalProperties: false };
}

const TIMEOUT: JsonObject = {
  type: ['number', 'string'],
  'x-duration': true,
  'x-auto': false,
  description: 'How long to wait: seconds, or 30m, 2h. Without it, until an answer comes.',
};

export const WAIT_ACTIONS: Action[] = [
  byEngine({
    name: 'sleep',
    summary: 'Waits for a time.',
    effect: 'pure',
    powers: [],
    engine: 'sleep',
    description: 'The wait is durable: the process may end meanwhile, and the run goes on when the hour has come.',
    parameters: {
      ...schema(
        {
          duration: { type: ['number', 'string'], 'x-duration': true, description: 'How long: seconds, or 90s, 2m, 1h30m.' },
          seconds: { type: 'number', minimum: 0, description: 'How long, in seconds, in place of duration.' },
        },
        [],
      ),
      anyOf: [{ required: ['duration'] }, { required: ['seconds'] }],
    },
    result: { type: ['object', 'null'], description: 'Nothing that matters.' },
    example: '- id: pause\n  action: sleep\n  parameters: { duration: 10m }',
  }),
  byEngine({
    name: 'approval',
    summary: 'Waits until a person has decided.',
    effect: 'pure',
    powers: [],
    engine: 'approval',
    description: 'The run waits, and costs nothing while it does. `orchestrator approve RUN TASK --choice X` answers it, and so does the studio.',
    parameters: schema(
      {
        prompt: { type: 'string', minLength: 1, description: 'The question.' },
        choices: {
          type: 'array',
          items: { type: 'string' },
          minItems: 1,
          uniqueItems: true,
          default: ['approve', 'reject'],
          'x-auto': false,
          description: 'The answers that can be given.',
        },
        timeout: TIMEOUT,
        on_timeout: {
          type: 'string',
          default: 'fail',
          'x-auto': false,
          description: 'What happens when nobody answered in time: fail, or the choice that is then taken.',
        },
      },
      ['prompt'],
    ),
    result: schema(
      {
        choice: { type: 'string', description: 'The answer.' },
        by: { type: 'string', description: 'Who gave it; timeout where nobody did.' },
        comment: { type: 'string', description: 'What they added.' },
      },
      ['choice', 'by'],
    ),
    example: '- id: ask\n  action: approval\n  parameters: { prompt: "Publish {{ title }}?", choices: [publish, discard], timeout: 2d, on_timeout: discard }',
  }),
  byEngine({
    name: 'signal.wait',
    summary: 'Waits for a signal from outside.',
    effect: 'pure',
    powers: [],
    engine: 'signal',
    description: '`orchestrator signal RUN NAME JSON` sends it; its JSON is the result.',
    parameters: schema(
      {
        name: { type: 'string', minLength: 1, 'x-auto': false, description: 'Name of the signal.' },
        timeout: TIMEOUT,
        on_timeout: { default: 'fail', 'x-auto': false, description: 'What happens when none came in time: fail, or the value that is then the result.' },
      },
      ['name'],
    ),
    result: { description: 'What the signal carried.' },
    example: '- id: paid\n  action: signal.wait\n  parameters: { name: payment, timeout: 1d }',
  }),
  byEngine({
    name: 'pipeline.run',
    summary: 'Runs another pipeline as a part of this one.',
    effect: 'pure',
    powers: [],
    engine: 'pipeline',
    description: 'The other file is compiled together with this one, so that a mistake in it is found before anything runs. Its outputs are the result.',
    parameters: schema(
      {
        file: { type: 'string', minLength: 1, 'x-auto': false, 'x-literal': true, description: 'The file, relative to the one that names it.' },
        inputs: { type: 'object', additionalProperties: true, default: {}, description: 'Its inputs.' },
        max_depth: { type: 'integer', minimum: 1, maximum: 16, 'x-auto': false, description: 'How deep it may run itself; without it, not at all.' },
      },
      ['file'],
    ),
    result: { type: 'object', additionalProperties: true, description: 'The outputs of the pipeline, by name.' },
    example: '- id: score\n  action: pipeline.run\n  parameters: { file: score.yaml, inputs: { text: "{{ draft }}" } }',
  }),
];
