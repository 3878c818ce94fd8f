import { OrchestratorError } from '../errors.ts';
import { attachmentsOf, isText } from './content.ts';
import type { Abilities, ModelInfo, ModelRequest } from './port.ts';

/** What a request holds that a model is known not to read; undefined where there is nothing of the kind. */
export function unreadable(abilities: Abilities, { messages }: Pick<ModelRequest, 'messages'>): string | undefined {
  const attached = attachmentsOf(messages);
  if (abilities.images === false && attached.some(({ type }) => type === 'image')) return 'images';
  const file = attached.find(({ type, mediaType }) => type === 'file' && !isText(mediaType));
  return abilities.files === false && file !== undefined ? `files of the type ${file.mediaType}` : undefined;
}

/** Refuses what a model is known not to read, before anybody is asked: ORC-410. */
export function checkAbilities({ id, local, abilities = {} }: Pick<ModelInfo, 'id' | 'local' | 'abilities'>, request: Pick<ModelRequest, 'messages'>): void {
  const what = unreadable(abilities, request);
  if (what === undefined) return;
  const modality = what === 'images' ? 'image' : 'file';
  throw new OrchestratorError('ORC-410', `${id} does not read ${what}`, {
    class: 'invalid_input',
    details: { asked: false },
    help: [
      `let a model be chosen that does: model: { modalities: [${modality}] }`,
      ...(local ? [] : [`if it does, say so: models: { catalog: [ { id: ${id}, modalities: [${modality}] } ] }`]),
    ],
  });
}

/** Whether a service refused a request because the model has no tools. */
export function forgetsTools(error: unknown): boolean {
  if (!(error instanceof OrchestratorError) || error.code !== 'ORC-406' || error.class !== 'invalid_input') return false;
  return /\btools?\b.*\bnot\b.*\b(support|available|enabled)|\bnot support\b.*\b(tools?|functions?)\b|tool (choice|use|calling) .*requires/i.test(
    error.message,
  );
}
