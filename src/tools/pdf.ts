import type { Action } from './port.ts';
import { byProvider } from './web.ts';

export const PDF_ACTIONS: Action[] = [
  byProvider({
    name: 'pdf.write',
    summary: 'Writes a PDF from Markdown.',
    effect: 'idempotent',
    powers: ['files'],
    provider: 'pdf',
    description:
      'Declared, so that pipelines that use it compile; no provider for it exists yet. Until then `report.generate` writes the same content as Markdown.',
    parameters: {
      type: 'object',
      required: ['path', 'content'],
      additionalProperties: false,
      properties: {
        path: { type: 'string', minLength: 1, description: 'The file to write.' },
        content: { type: 'string', description: 'Its text, as Markdown.' },
        title: { type: 'string', description: 'Its title.' },
        author: { type: 'string', description: 'Who wrote it.' },
      },
    },
    result: {
      type: 'object',
      required: ['path', 'size'],
      additionalProperties: false,
      properties: { path: { type: 'string', description: 'The path as it was given.' }, size: { type: 'integer', description: 'Size of the file in bytes.' } },
    },
    example: '- id: print\n  action: pdf.write\n  parameters: { path: out/report.pdf, content: "{{ draft }}" }',
  }),
];
