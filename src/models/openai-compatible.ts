import type { Clock } from '../clock.ts';
import { aiSdkProvider, type Describe } from './ai-sdk.ts';
import type { Provider } from './port.ts';
import { COMPATIBLE_EMBEDS_AT_ONCE, openCompatible, type StructuredOutput } from './services.ts';
import { abilitiesOf } from './traits.ts';

export interface OpenAICompatibleOptions {
  /** Name of the provider in the configuration. */
  name: string;
  /** Address up to and without `/chat/completions`. */
  baseUrl: string;
  apiKey?: string;
  headers?: Record<string, string>;
  /** The longest silence that is waited out, in ms. */
  timeoutMs?: number;
  structuredOutput?: StructuredOutput;
  /** What the configuration knows of a model. */
  describe?: Describe;
  clock?: Clock;
}

/** A service at any address that speaks the chat completions dialect of OpenAI, local ones included. */
export function openAICompatible(options: OpenAICompatibleOptions): Provider {
  const { name, apiKey, headers = {}, describe = nothingKnown, timeoutMs, structuredOutput, clock } = options;
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  const auth: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  return aiSdkProvider({
    name,
    baseUrl,
    secrets: [apiKey ?? '', ...Object.values(headers)],
    open: fetch => openCompatible(name, { baseUrl, apiKey: undefined, headers: { ...auth, ...headers }, fetch, more: {}, env: {} }),
    listing: { url: `${baseUrl}/models`, headers: { ...auth, ...headers } },
    providerOptions: { openaiCompatible: { strictJsonSchema: false } },
    describe,
    embedsAtOnce: COMPATIBLE_EMBEDS_AT_ONCE,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(structuredOutput === undefined ? {} : { structuredOutput }),
    ...(clock === undefined ? {} : { clock }),
  });
}

const nothingKnown: Describe = model => ({ contextWindow: () => undefined, price: () => undefined, abilities: abilitiesOf(model) });
