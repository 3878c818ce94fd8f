import { OrchestratorError } from '../errors.ts';
import { canonicalJson, isObject, own, setOwn, type Json, type JsonObject } from '../json.ts';
import { aggregation, compareValues, figure } from './aggregates.ts';
import { isTrue } from './messages.ts';
import { badParameter, given, optionalNumber, optionalObject, text, texts, throwIfAborted } from './parameters.ts';
import type { ActionContext } from './port.ts';
import { columnsOf, giveData, readData, rowsOf } from './table.ts';

type Operation = (parameters: JsonObject, context: ActionContext) => Promise<JsonObject>;

function keyOf(row: JsonObject, names: string[]): string {
  return canonicalJson(names.map(name => own(row, name) ?? null));
}

export const convert: Operation = async (parameters, context) => giveData(await readData(parameters, context), parameters, context);

export const filter: Operation = async (parameters, context) => {
  const data = await readData(parameters, context);
  if (!Array.isArray(data)) throw new OrchestratorError('ORC-227', 'data must be a list to be filtered.', { class: 'invalid_input' });
  const condition = text(parameters, 'condition');
  const kept = data.filter((item, index) => {
    throwIfAborted(context.signal);
    return isTrue(context.evaluate(condition, { item, index }));
  });
  return giveData(kept, parameters, context);
};

export const aggregate: Operation = async (parameters, context) => {
  const rows = rowsOf(await readData(parameters, context));
  const by = texts(parameters, 'group_by');
  const wanted = Object.entries(optionalObject(parameters, 'aggregations') ?? { count: 'count' }).map(
    ([name, written]) => [name, aggregation(name, written)] as const,
  );
  const groups = new Map<string, JsonObject[]>();
  if (by.length === 0) groups.set('', rows);
  else for (const row of rows) (groups.get(keyOf(row, by)) ?? groups.set(keyOf(row, by), []).get(keyOf(row, by))!).push(row);
  const result = [...groups.values()].map(members => {
    const row: JsonObject = {};
    for (const name of by) setOwn(row, name, own(members[0]!, name) ?? null);
    for (const [name, compute] of wanted) setOwn(row, name, compute(members));
    return row;
  });
  return giveData(result, parameters, context);
};

export const transform: Operation = async (parameters, context) => {
  const rows = rowsOf(await readData(parameters, context));
  const set = Object.entries(optionalObject(parameters, 'set') ?? {});
  const rename = optionalObject(parameters, 'rename') ?? {};
  const drop = new Set(texts(parameters, 'drop'));
  const select = given(parameters, 'select') === undefined ? undefined : texts(parameters, 'select');
  const result = rows.map((item, index) => {
    throwIfAborted(context.signal);
    const computed: JsonObject = { ...item };
    for (const [name, expression] of set)
      setOwn(computed, name, typeof expression === 'string' ? context.evaluate(expression, { item: computed, index }) : expression);
    const renamed: JsonObject = {};
    for (const [name, value] of Object.entries(computed)) {
      const target = own(rename, name) ?? name;
      if (typeof target !== 'string') throw badParameter(`rename.${name}`, 'text');
      if (!drop.has(target)) setOwn(renamed, target, value);
    }
    if (select === undefined) return renamed;
    const chosen: JsonObject = {};
    for (const name of select) setOwn(chosen, name, own(renamed, name) ?? null);
    return chosen;
  });
  return giveData(result, parameters, context);
};

/** Pairs of field names that must be equal: `id`, `[id, day]` or `{left: right}`. */
function joinKeys(parameters: JsonObject): { left: string[]; right: string[] } {
  const on = given(parameters, 'on');
  if (!isObject(on)) {
    const names = texts(parameters, 'on');
    if (names.length === 0) throw badParameter('on', 'the fields that must be equal');
    return { left: names, right: names };
  }
  const right = Object.values(on).map(name => {
    if (typeof name !== 'string') throw badParameter('on', 'fields of data, each with the field of with that it equals');
    return name;
  });
  return { left: Object.keys(on), right };
}

export const join: Operation = async (parameters, context) => {
  const left = rowsOf(await readData(parameters, context));
  const right = rowsOf(
    await readData(
      {
        ...parameters,
        data: given(parameters, 'with') ?? null,
        input: given(parameters, 'with_input') ?? null,
        format: given(parameters, 'with_format') ?? null,
      },
      context,
    ),
    'with',
  );
  const how = text(parameters, 'how');
  if (!['inner', 'left', 'right', 'outer'].includes(how)) throw badParameter('how', 'inner, left, right or outer');
  const keys = joinKeys(parameters);
  const suffix = text(parameters, 'suffix');
  const leftColumns = columnsOf(left);
  const rightColumns = columnsOf(right).filter(name => !keys.right.includes(name));
  const taken = new Set([...leftColumns, ...keys.left]);

  const index = new Map<string, JsonObject[]>();
  for (const row of right) {
    if (keys.right.some(name => (own(row, name) ?? null) === null)) continue; // null equals nothing
    const key = keyOf(row, keys.right);
    const bucket = index.get(key);
    if (bucket === undefined) index.set(key, [row]);
    else bucket.push(row);
  }
  const merge = (a: JsonObject | undefined, b: JsonObject | undefined): JsonObject => {
    const row: JsonObject = {};
    for (const name of leftColumns) setOwn(row, name, a === undefined ? null : (own(a, name) ?? null));
    if (a === undefined && b !== undefined) keys.left.forEach((name, at) => setOwn(row, name, own(b, keys.right[at]!) ?? null));
    for (const name of rightColumns) setOwn(row, taken.has(name) ? name + suffix : name, b === undefined ? null : (own(b, name) ?? null));
    return row;
  };
  const matched = new Set<JsonObject>();
  const result: JsonObject[] = [];
  for (const row of left) {
    const partners = index.get(keyOf(row, keys.left)) ?? [];
    for (const partner of partners) {
      matched.add(partner);
      result.push(merge(row, partner));
    }
    if (partners.length === 0 && (how === 'left' || how === 'outer')) result.push(merge(row, undefined));
  }
  if (how === 'right' || how === 'outer') for (const row of right) if (!matched.has(row)) result.push(merge(undefined, row));
  return giveData(result, parameters, context);
};

function typeName(value: Json): string {
  return Array.isArray(value) ? 'array' : typeof value === 'number' ? (Number.isInteger(value) ? 'integer' : 'number') : typeof value;
}

function profileColumn(name: string, rows: JsonObject[]): JsonObject {
  const values = rows.map(row => own(row, name) ?? null).filter(value => value !== null);
  const types = [...new Set(values.map(typeName))].sort();
  const column: JsonObject = {
    column: name,
    type: types.join(',') === 'integer,number' ? 'number' : types.join(', ') || 'null',
    count: values.length,
    nulls: rows.length - values.length,
  };
  const counts = new Map<string, { value: Json; count: number }>();
  for (const value of values) {
    const key = canonicalJson(value);
    const entry = counts.get(key);
    if (entry === undefined) counts.set(key, { value, count: 1 });
    else entry.count++;
  }
  column['distinct'] = counts.size;
  column['top'] = [...counts.values()]
    .sort((a, b) => b.count - a.count)
    .slice(0, 5)
    .map(({ value, count }) => ({ value, count }));
  if (values.length === 0) return column;
  column['min'] = figure('min', values);
  column['max'] = figure('max', values);
  if (values.every(value => typeof value === 'number')) {
    for (const operation of ['mean', 'median', 'std', 'sum'] as const) column[operation] = figure(operation, values);
  }
  return column;
}

export const profile: Operation = async (parameters, context) => {
  const rows = rowsOf(await readData(parameters, context));
  const result = await giveData(
    columnsOf(rows).map(name => profileColumn(name, rows)),
    parameters,
    context,
  );
  return { ...result, rows: rows.length };
};

/** A field and a direction: `amount`, `-amount`, or `{field, order}`. */
function sortKeys(parameters: JsonObject): { field: string; sign: number }[] {
  const by = given(parameters, 'by') ?? [];
  const descending = text(parameters, 'order') === 'desc';
  return (Array.isArray(by) ? by : [by]).map(key => {
    const field = isObject(key) ? own(key, 'field') : key;
    if (typeof field !== 'string') throw badParameter('by', 'names of fields');
    if (isObject(key)) return { field, sign: own(key, 'order') === 'desc' ? -1 : 1 };
    return field.startsWith('-') ? { field: field.slice(1), sign: -1 } : { field, sign: descending ? -1 : 1 };
  });
}

export const sort: Operation = async (parameters, context) => {
  const data = await readData(parameters, context);
  if (!Array.isArray(data)) throw new OrchestratorError('ORC-227', 'data must be a list to be sorted.', { class: 'invalid_input' });
  const keys = sortKeys(parameters);
  const sign = text(parameters, 'order') === 'desc' ? -1 : 1;
  const order = (a: Json, b: Json, direction: number): number => (a === null || b === null ? compareValues(a, b) : direction * compareValues(a, b)); // null stays last
  const sorted = data.toSorted((a, b) => {
    if (keys.length === 0) return order(a, b, sign);
    for (const { field, sign: direction } of keys) {
      const difference = order(isObject(a) ? (own(a, field) ?? null) : null, isObject(b) ? (own(b, field) ?? null) : null, direction);
      if (difference !== 0) return difference;
    }
    return 0;
  });
  const limit = optionalNumber(parameters, 'limit');
  return giveData(limit === undefined ? sorted : sorted.slice(0, Math.max(0, limit)), parameters, context);
};
