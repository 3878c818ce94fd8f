import type { Explanation } from './port.ts';

/** References between tasks, actions, and what happens when they run. */
export const GRAPH_CODES = {
  'ORC-201': {
    text: `\`dependencies\` names a task that is not in reach: there is none of this id in the same list or around it. Tasks within a loop or group cannot be depended on from outside; depend on the loop itself.`,
    bad: '- { id: search, action: echo }\n- { id: report, action: echo, dependencies: [serch] }',
    good: '- { id: search, action: echo }\n- { id: report, action: echo, dependencies: [search] }',
  },
  'ORC-202': {
    text: `Some tasks wait for each other in a circle, so that none of them could ever start. Every \`dependencies\`, every {{ reference }} and every route is an edge. Remove one of the edges in the message; those that no template needs come first in the help.`,
    bad: '- { id: a, action: echo, dependencies: [b] }\n- { id: b, action: echo, dependencies: [a] }',
    good: '- { id: a, action: echo }\n- { id: b, action: echo, dependencies: [a] }',
  },
  'ORC-203': {
    text: `A task depends on itself, by \`dependencies\` or because one of its own values refers to its own result. To use what an earlier iteration gave, make a \`while\` loop: \`previous\` is the iteration before.`,
    bad: '- { id: a, action: echo, dependencies: [a] }',
    good: '- { id: a, action: echo }',
  },
  'ORC-204': {
    text: `Routing jumps forward in one list: on_success, on_false and on_failure name a task that is written further down in the same list. What lies between is skipped.`,
    bad: '- { id: a, action: echo }\n- { id: b, action: echo, on_success: a }',
    good: '- { id: a, action: echo, on_success: c }\n- { id: b, action: echo }\n- { id: c, action: echo }',
  },
  'ORC-205': {
    text: `A pipeline runs itself, directly or through the pipelines that it runs. This would never end, so it is refused unless \`max_depth\` says how often it may. Sub-pipelines are nested at most 16 deep.`,
  },
  'ORC-206': {
    text: `The pipeline names a file that is not there, or that lies outside its folder: in {{ file('…') }} or in the parameters of pipeline.run. Such files become part of the plan and are read when it is compiled, relative to the file that names them.`,
  },
  'ORC-207': {
    text: `The result of the task has no field of this name; its action, or its own \`outputs\`, declares which it has. The note lists them.`,
    bad: '- { id: read, action: filesystem.read, parameters: { path: a.txt } }\n- { id: show, action: echo, parameters: { text: "{{ read.contnet }}" } }',
    good: '- { id: read, action: filesystem.read, parameters: { path: a.txt } }\n- { id: show, action: echo, parameters: { text: "{{ read.content }}" } }',
  },
  'ORC-208': {
    text: `A handler under on_error runs a copy of a task of the same list, and there is none of this id. A handler may also call an action, or just give a fallback_value.`,
    bad: '- { id: a, action: echo, on_error: [{ task: clean_up }] }',
    good: '- { id: a, action: echo, on_error: [{ task: cleanup }] }\n- { id: cleanup, action: echo }',
  },
  'ORC-209': {
    text: `No way leads to this task: whatever happens, it is skipped. Look at the routes that jump over it and at conditions that are always false.`,
  },
  'ORC-210': {
    text: `There is no action of this name. \`orc actions\` lists them; those of your own stand in the configuration under \`actions\` and are known after \`orc actions sync\`.`,
    bad: '- { id: search, action: web_serach }',
    good: '- { id: search, action: web_search }',
  },
  'ORC-211': {
    text: `The action requires a parameter that the task does not give. \`orc actions NAME\` shows what it takes.`,
    bad: '- { id: s, action: generate_text }',
    good: '- { id: s, action: generate_text, parameters: { prompt: hi } }',
  },
  'ORC-212': {
    text: `A parameter has another type than the action declares. A text is never read as a number behind your back; a lone {{ expression }} keeps the type of its value. Where the fix is sure, \`orc validate --fix\` makes it.`,
    bad: '- { id: s, action: web_search, parameters: { query: x, max_results: "5" } }',
    good: '- { id: s, action: web_search, parameters: { query: x, max_results: 5 } }',
  },
  'ORC-213': {
    text: `The action has no parameter of this name and would not look at it. \`orc actions NAME\` shows what it takes.`,
    bad: '- { id: s, action: echo, parameters: { text: x, colour: red } }',
    good: '- { id: s, action: echo, parameters: { text: x } }',
  },
  'ORC-214': {
    text: `The action needs a power that the policy does not grant: to start programs, run code, reach private addresses, or touch files outside the roots. Who operates the program may grant it under \`policy\` in the configuration; a pipeline cannot grant it to itself.`,
  },
  'ORC-215': { text: `A pipeline that this one runs has problems of its own. They are listed with their own file and line; mend them there.` },
  'ORC-216': { text: `The action ran and said that it failed. The message is its own. What happens next is up to the task: retry, on_error, on_failure.` },
  'ORC-218': {
    text: `One attempt took longer than its \`timeout\` and was stopped; a child process is killed with its group. Every attempt has the whole time again. Raise the timeout, or find out with \`orc profile RUN\` where the time goes.`,
  },
  'ORC-219': {
    text: `The action gave back something that does not fit the schema of its result, so that nobody could rely on it. For an action of your own: either the code or its declared result is wrong.`,
  },
  'ORC-220': { text: `An \`assert\` found its condition false, or a \`fail\` was reached. The pipeline was written to stop here.` },
  'ORC-221': {
    text: `A file could not be read or written: it is not there, is a folder, or the permissions do not allow it. The message names the path and what the system said.`,
  },
  'ORC-222': {
    text: `The path leads outside the folders that the policy allows, by itself or through a link. The state folder is never within reach. Who operates the program may add folders under \`policy.files.roots\`.`,
  },
  'ORC-223': {
    text: `A server answered with a status of 400 or above. \`check: false\` makes such an answer a result like any other; retry tries statuses again that may pass (429, 5xx).`,
  },
  'ORC-224': {
    text: `The server could not be reached, or the connection broke before the answer was complete. The error counts as one that may pass, so that retry tries it again.`,
  },
  'ORC-225': {
    text: `The address is private, loopback or link-local, or its name leads to such a one, and the policy does not allow them: a pipeline could otherwise reach what only this machine can see. Allow it with \`policy: { network: { private: allow } }\`.`,
  },
  'ORC-226': {
    text: `A program could not be started, or ended with an exit code other than 0. What it wrote to stderr stands in the details. \`check: false\` makes the code a part of the result.`,
  },
  'ORC-227': {
    text: `Data could not be read in the format that was named: a line of the CSV has too many fields, the JSON ends too early. The message says where.`,
  },
  'ORC-228': {
    text: `Data does not fit the schema of a \`validate\` action in strict mode. All misfits are listed with their paths; \`mode: report\` tells without failing.`,
  },
  'ORC-229': {
    text: `The process died between the beginning of an effect and its record, and the action is one that must not be done twice unseen (shell, mail, code). Find out whether it took place, then say so: \`orc settle RUN TASK --as completed|retry|skip|fail\`. \`on_ambiguous\` on the task decides it beforehand.`,
  },
  'ORC-230': {
    text: `Something inside a loop, a group or a sub-pipeline failed, and with it the whole. The cause is named with its path. \`on_failure: skip\` or \`continue\` on the loop keeps the other iterations.`,
  },
  'ORC-231': { text: `The run or the task was cancelled, by a person, by a signal or because the run ended before it could start.` },
  'ORC-232': {
    text: `A for_each repeats its body for the items of a list, or for the {key, value} pairs of an object. Text, numbers and null have no items. Split a text first: \`{{ names | split(',') }}\`.`,
  },
} as const satisfies Record<string, Explanation>;
