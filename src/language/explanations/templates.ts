import type { Explanation } from './port.ts';

const parameters = (text: string): string => `- id: hello\n  action: echo\n  parameters:\n    text: ${text}`;

/** AUTO tags, templates and expressions. */
export const TEMPLATE_CODES = {
  'ORC-301': {
    text: `An <AUTO> tag is opened and its value ends before </AUTO>. A tag begins and ends in the same value; it may run over several lines if they are indented more than the key.`,
    bad: parameters('<AUTO>Search for: latest AI research'),
    good: parameters('<AUTO>Search for: latest AI research</AUTO>'),
  },
  'ORC-302': {
    text: `A name in an expression is neither an input, nor a task in reach, nor a variable of a loop around it. The note lists what is in scope. There is no \`env\` and no \`pipeline\`: secrets are named by secret('NAME'). In a condition this is a warning, because an undefined name makes it fail closed; \`default(…)\` makes it fine anywhere.`,
    bad: parameters('"{{ serach.results }}"'),
    good: parameters('"{{ execution.date }}"'),
  },
  'ORC-303': {
    text: `An <AUTO> tag takes the attributes type (string, integer, number, boolean, list, choice, json), min, max, choices, pattern, items, default, model and cache, each as name="value". A default must itself be an answer that the other attributes allow.`,
    bad: parameters('<AUTO typ="integer">how many?</AUTO>'),
    good: parameters('<AUTO type="integer" min="1" max="9">how many?</AUTO>'),
  },
  'ORC-304': {
    text: `A model may fill in values of tasks. It may not decide what the plan is or what it may touch: ids, dependencies, names of actions, times, and parameters that name commands, hosts, folders or credentials, unless \`choices\` says between what it may choose.`,
    bad: '- id: hello\n  action: <AUTO>what to do?</AUTO>',
    good: parameters('<AUTO>what to say?</AUTO>'),
  },
  'ORC-305': {
    text: `A template or an expression cannot be read. The carets stand where the reading stopped; what was expected there is in the message. The language is that of Jinja2, without include, import and macros.`,
    bad: parameters('"{{ 1 + }}"'),
    good: parameters('"{{ 1 + 1 }}"'),
  },
  'ORC-306': {
    text: `There is no filter of this name. Filters stand after |, such as {{ title | upper }}. docs/reference/templates.md lists them.`,
    bad: parameters('"{{ \'a\' | uper }}"'),
    good: parameters('"{{ \'a\' | upper }}"'),
  },
  'ORC-307': {
    text: `There is no function or test of this name, or a function is named and not called. The functions are range, now, file, file_exists, secret, loop_var, dict and namespace.`,
    bad: parameters('"{{ now }}"'),
    good: parameters('"{{ now() }}"'),
  },
  'ORC-308': {
    text: `A filter, function, test or method was given too many arguments, too few, or ones that it does not take. The help shows its form.`,
    bad: parameters('"{{ file_exists() }}"'),
    good: parameters('"{{ file_exists(\'a.txt\') }}"'),
  },
  'ORC-309': {
    text: `item, index, is_first, iteration and their kin exist only in the body of a loop that binds them: item in a for_each, iteration in a while. From an inner loop an outer one is reached by its loop_name: \`outer.item\`.`,
    bad: parameters('"{{ item }}"'),
    good: '- id: loop\n  for_each: [1, 2]\n  tasks:\n    - { action: echo, parameters: { text: "{{ item }}" } }',
  },
  'ORC-310': {
    text: `An expression is well formed and could not be computed with the values of this run: a field that is not there, a number divided by zero, a text where a list is needed. \`orc eval TEXT --run RUN\` tries it again with the same values.`,
  },
  'ORC-311': {
    text: `An expression or template took more than its fuel: 1,000,000 steps, 10 MiB of output, or 64 levels. Loop over tasks rather than within a template, and keep large data in files.`,
  },
  'ORC-312': {
    text: `A secret is a handle, not a text: it can be handed to a parameter of an action, alone or as a part of a text, and nothing else. It cannot be filtered, compared, measured, looped over or shown to a model.`,
  },
  'ORC-313': {
    text: `include, import, extends, macro, call, block and a few functions of Jinja2 are not part of the language: a template is one text and cannot reach other files or define code. Use {{ file('…') }} for texts, and tasks for work.`,
    bad: parameters('"{% include \'a\' %}"'),
    good: parameters('"{{ file_exists(\'a\') }}"'),
  },
  'ORC-314': {
    text: `A model was asked three times and no answer fitted the schema of the <AUTO> tag, which has no default. Ask more plainly, loosen min, max, choices or pattern, give a default, or name a stronger model with model="…".`,
  },
  'ORC-315': {
    text: `The condition of a task could not be evaluated, so the task did not run: conditions fail closed. Its on_false fires, and the receipt names it. Mend the expression, or say with default(…) what a missing value means.`,
  },
  'ORC-316': {
    text: `</AUTO> stands where no tag is open. Remove it, or open the tag before it, in the same value.`,
    bad: parameters('which one?</AUTO>'),
    good: parameters('<AUTO>which one?</AUTO>'),
  },
  'ORC-317': {
    text: `The file holds a character from U+E021 to U+E07D. These have no meaning of their own, and the compiler uses them while it reads AUTO tags. Remove it, or write it as an escape in double quotes: "\\uE021".`,
    bad: parameters('a\uE03Ab'),
    good: parameters('"a\\uE03Ab"'),
  },
  'ORC-318': {
    text: `The run was started with --locked, which asks no new questions, and for this <AUTO> tag no answer is recorded. Run once without --locked, or write the answers into the file: \`orc auto pin RUN\`.`,
  },
} as const satisfies Record<string, Explanation>;
