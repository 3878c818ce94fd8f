import { OrchestratorError } from '../errors.ts';
import { fence, FENCE_RULE } from '../fence.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { checkSchema, coerce } from '../schema.ts';
import { toolsOf, type Tool } from './agent-tools.ts';
import { count, optionalNumber, optionalObject, optionalText } from './parameters.ts';
import type { ActionContext, ModelAnswer, ModelMessage, Performed, ToolCall } from './port.ts';
import { settingsOf, systemMessages, userMessage } from './prompts.ts';

const RULES =
  'You pursue a goal with the help of tools. Ask for a tool where it helps; when the goal is reached, or cannot be reached, say so in words, without asking for a tool. ' +
  FENCE_RULE;

/** Characters of a result that the model is shown; more would only fill its context. */
const RESULT_MAX_CHARACTERS = 20_000;

/** So often is one reply asked for. */
const TRIES_MAX = 3;

type Stopped = 'answer' | 'max_steps' | 'max_cost';
type Refusal = { code: string; message: string };

/**
 * One attempt of an agent. Every reply of the model and every tool call is a step, so that after a crash the same conversation is had again from the
 * journal, up to where it was, and nothing is paid for or done twice (S6).
 */
export class Agent {
  readonly #parameters: JsonObject;
  readonly #context: ActionContext;
  readonly #tools: Map<string, Tool>;
  readonly #maxSteps: number;
  readonly #steps: JsonObject[] = [];
  #costMicroUsd: number | null = 0;

  constructor(parameters: JsonObject, context: ActionContext) {
    this.#parameters = parameters;
    this.#context = context;
    this.#tools = toolsOf(parameters, context);
    this.#maxSteps = count(parameters, 'max_steps');
  }

  async run(): Promise<JsonObject> {
    const messages = [...systemMessages(this.#parameters, RULES), await this.#goal()];
    for (let turn = 1; ; turn++) {
      const isOver = this.#steps.length >= this.#maxSteps;
      if (isOver) messages.push({ role: 'user', content: 'No tool can be had any more. Give your answer now, in words.' });
      const answer = await this.#asked(messages, turn, isOver);
      if (answer === undefined) return this.#result(null, 'max_cost');
      const { text, toolCalls = [] } = answer;
      if (isOver) return this.#result(text === '' ? null : text, 'max_steps');
      if (toolCalls.length === 0) return this.#result(text, 'answer');
      messages.push({ role: 'assistant', content: text, toolCalls });
      for (const [index, call] of toolCalls.entries()) messages.push(await this.#use(call, `${turn}.${index + 1}`));
    }
  }

  #goal(): Promise<ModelMessage> {
    const goal = optionalText(this.#parameters, 'goal') ?? optionalText(this.#parameters, 'prompt');
    if (goal === undefined) throw new OrchestratorError('ORC-211', 'One of the parameters goal and prompt is required.', { class: 'invalid_input' });
    const data = Object.entries(optionalObject(this.#parameters, 'data') ?? {}).map(([name, value]) => fence(name, value));
    return userMessage([...data, `Goal: ${goal}`].join('\n'), this.#parameters, this.#context);
  }

  /** The next reply that can be used: a model whose tool calls cannot be read is told so, and asked again. */
  async #asked(messages: ModelMessage[], turn: number, isOver: boolean): Promise<ModelAnswer | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#ask(messages, tries === 1 ? `model-${turn}` : `model-${turn}.${tries}`, isOver);
      } catch (error) {
        if (tries === TRIES_MAX || !isWorded(error)) throw error;
        messages.push({ role: 'user', content: `That answer cannot be used:\n${fence('error', error.message)}\nAnswer again.` });
      }
    }
  }

  /** The next reply; undefined where it could cost more than is left. Once no step is left, it is asked for an answer in words. */
  async #ask(messages: readonly ModelMessage[], step: string, isOver: boolean): Promise<ModelAnswer | undefined> {
    const capUsd = optionalNumber(this.#parameters, 'max_cost_usd');
    const tools = [...this.#tools.values()].map(({ spec }) => spec);
    try {
      const answer = await this.#context.models.ask({
        purpose: 'agent',
        messages: [...messages],
        ...(tools.length === 0 ? {} : { tools, toolChoice: isOver ? ('none' as const) : ('auto' as const) }),
        ...(capUsd === undefined ? {} : { maxCostMicroUsd: Math.floor(capUsd * 1_000_000) - (this.#costMicroUsd ?? Infinity) }),
        step,
        ...settingsOf(this.#parameters),
      });
      this.#pay(answer.costMicroUsd ?? null);
      return answer;
    } catch (error) {
      if (error instanceof OrchestratorError && error.details?.['cap'] === 'call' && error.details['priced'] === true) return undefined;
      throw error;
    }
  }

  /** What a tool call came to, as the model is told. Each counts as a step, also one that is refused: no model asks forever. */
  async #use(call: ToolCall, number: string): Promise<ModelMessage> {
    const answer = (content: string, failed: boolean): ModelMessage => ({
      role: 'tool',
      toolCallId: call.id,
      name: call.name,
      content,
      ...(failed ? { failed: true as const } : {}),
    });
    if (this.#steps.length >= this.#maxSteps) return answer('It was not done: there are no steps left. Answer with what you know.', true);
    this.#context.progress(this.#steps.length, this.#maxSteps, call.name);
    const tool = this.#tools.get(call.name);
    const args = tool === undefined ? call.arguments : coerce(tool.spec.parameters, call.arguments);
    const outcome = tool === undefined ? unknownTool(call.name, this.#tools) : await this.#perform(tool, args, number);
    const told = { tool: call.name, arguments: args };
    if ('result' in outcome) {
      this.#steps.push({ ...told, result: outcome.result });
      return answer(fence(call.name, outcome.result, RESULT_MAX_CHARACTERS), false);
    }
    const { error } = outcome;
    this.#steps.push({ ...told, error });
    // What a server or a program said is data in a failure too.
    return answer(`It failed (${error.code}):\n${fence('error', error.message, RESULT_MAX_CHARACTERS)}`, true);
  }

  async #perform(tool: Tool, args: Json, number: string): Promise<Performed | { error: Refusal }> {
    const problems = checkSchema(tool.spec.parameters, args);
    if (problems.length > 0 || !isObject(args)) {
      const words = problems.map(({ path, message }) => `${path.length === 0 ? 'the arguments' : `\`${path.join('.')}\``} ${message}`);
      return { error: { code: 'ORC-212', message: words.join('; ') } };
    }
    const outcome = await this.#context.perform(
      tool.action,
      { ...args, ...tool.fixed },
      {
        step: `tool-${number}-${tool.spec.name}`,
        mayChange: tool.mayChange,
        literal: parameter => Object.hasOwn(tool.fixed, parameter) && this.#context.literal?.('tools') === true,
      },
    );
    this.#pay(outcome.costMicroUsd);
    if ('error' in outcome && outcome.error.code === 'ORC-214') this.#context.log('warn', `refused to the model: ${outcome.error.message}`);
    return outcome;
  }

  #pay(costMicroUsd: number | null): void {
    this.#costMicroUsd = this.#costMicroUsd === null || costMicroUsd === null ? null : this.#costMicroUsd + costMicroUsd;
  }

  #result(answer: string | null, stopped: Stopped): JsonObject {
    return { answer, steps: this.#steps, cost_usd: this.#costMicroUsd === null ? null : this.#costMicroUsd / 1_000_000, stopped };
  }
}

/** Whether a model has answered, and only its words are no good; a reply that was lost on the way is tried again by the task, durably. */
function isWorded(error: unknown): error is OrchestratorError {
  return error instanceof OrchestratorError && error.code === 'ORC-405' && error.details?.['usage'] !== undefined;
}

function unknownTool(name: string, tools: Map<string, Tool>): { error: Refusal } {
  return { error: { code: 'ORC-210', message: `there is no tool called ${name}; the tools are: ${[...tools.keys()].join(', ') || 'none'}` } };
}
