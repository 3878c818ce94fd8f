import type { Action } from './port.ts';

export const TRANSFORM_ACTIONS: Action[] = [
  {
    name: 'transform',
    summary: 'Reshapes data with a JSONata expression.',
    effect: 'pure',
    powers: [],
    description:
      'The expression sees the data as its context. It is stopped at its timeout, after 1,000,000 steps, and where a text grows beyond 16 MiB. Regular expressions are matched in linear time; $eval is not there. What the expression finds nothing for is null.',
    parameters: {
      type: 'object',
      required: ['data', 'expression'],
      additionalProperties: false,
      properties: {
        data: { description: 'The data.' },
        expression: {
          type: 'string',
          minLength: 1,
          'x-literal': true,
          description: 'The JSONata expression. Data belongs into data or bindings, not into this text.',
        },
        bindings: { type: 'object', additionalProperties: true, default: {}, description: 'More values, which the expression sees as $name.' },
        timeout: { type: ['number', 'string'], default: 5, 'x-duration': true, description: 'How long it may take: seconds, or 500ms, 10s.' },
      },
    },
    result: { description: 'What the expression gives.' },
    example: '- id: titles\n  action: transform\n  parameters: { data: "{{ fetch.body }}", expression: "items[score > 3].title" }',
    run: async (parameters, context) => (await import('./jsonata.ts')).runJsonata(parameters, context),
  },
];
