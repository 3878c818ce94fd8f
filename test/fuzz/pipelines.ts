/** Real pipelines, of every spelling, from which the fuzzers make their inputs. */
export const PIPELINES: readonly string[] = [
  `# yaml-language-server: $schema=pipeline.schema.json
pipeline:
  name: research_pipeline
  version: "1.0"
  description: Research a topic and write a cited report
  inputs:
    topic: { type: string, description: What to research }
    depth: { type: integer, default: 3, minimum: 1, maximum: 10 }
    style: { type: string, choices: [brief, academic], default: brief }
  defaults: { model: anthropic/claude-haiku-4-5, timeout: 2m, retry: { max_attempts: 3 } }
  budget: { usd: 0.50, on_exceed: pause }
  tasks:
    - id: search
      action: web_search
      parameters:
        query: <AUTO>Search for: latest AI research on {{ topic }}</AUTO>
        max_results: <AUTO type="integer" min="3" max="20" default="5">how many results for depth {{ depth }}</AUTO>
    - id: read
      for_each: "{{ search.results }}"
      max_parallel: 4
      on_failure: skip               # one page that cannot be read does not stop the report
      tasks:
        - id: fetch
          action: http.get
          parameters: { url: "{{ item.url }}" }
          retry: { max_attempts: 5, backoff_factor: 2.0, max_backoff: 60s }
        - id: summarise
          action: generate_text
          parameters: { prompt: "Summarise for {{ style }}: {{ fetch.body }}" }
    - id: report
      action: filesystem.write
      dependencies: [read]
      condition: "{{ read.items | length > 0 }}"
      parameters: { path: "reports/{{ topic | slugify }}.md", content: "{{ read.items | map(attribute='summarise') | select | join('\\n\\n') }}" }
  outputs:
    report: "{{ report.path }}"
`,
  `id: old_style
name: Old Style
version: 1.10
parameters:
  out_dir: ./out
  xs: {type: list, default: [3, 1, 2]}
config:
  default_timeout: 30

steps:
  # the first
  - id: write_it
    tool: filesystem # the tool
    action: write
    max_retries: 2
    parameters:
      path: {{ out_dir }}/x.txt
      content: |
        # {{ out_dir }}
          indented <AUTO>one: two</AUTO>

        <AUTO type="choice" choices="a,b" default="a">which of
          these?</AUTO> end
    continue_on_error: true

  - id: say
    action: echo "hello {{ out_dir }}"
    depends_on: "write_it, "
    when: write_it.success
  - id: slow
    tool: python-executor
    action: "Sleep for 5 seconds to test timeout"
    timeout: 2
    error_handling: { retry: { max_retries: 3, delay: 1s } }
    parameters: { code: "print('it''s')\\n\\u00e9" }
  - id: loop
    foreach: "['A', 'B']"
    steps:
      - id: emit
        tool: filesystem
        parameters:
          action: write
          path: './p_{{ $item }}.txt'
          content: >-
            folded {{ $index }}
            text "with" quotes

            {{ file:notes/a.md }} and << notes/b.md >>
  - id: queue
    action: create_parallel_queue
    create_parallel_queue:
      "on": "['A']"
      max_parallel: 2
      action_loop:
        - action: filesystem
          parameters: {action: write, path: ./q.txt, content: "{{ queue_size }}"}
`,
  `name: control
version: "1"
tasks:
  - id: check
    action: evaluate_condition
    condition: "true"
    on_false: recover
    parameters: {condition: "1 == 1"}
  - {id: grp, parallel: [{id: x, action: echo, parameters: {text: [a, b]}}, {id: y, action: log, parameters: {text: y, level: info}}]}
  - id: again
    while: "{{ iteration < 3 }}"
    max_iterations: 9
    loop_name: outer
    tasks:
      - action: sleep
        parameters: { duration: 1s }
  - id: recover
    tool: http-client
    action: get
    requires_model: none
    cache: { key: "{{ check.result }}", ttl: 1d }
    on_ambiguous: skip
    outputs: { body: { type: string }, status: integer }
    on_error:
      - handler_action: echo "handled"
        error_types: ["*"]
        retry_with_handler: true
      - { fallback_value: { a: 1 }, match: { codes: [ORC-601], patterns: ["time.*out"] }, priority: 2 }
    parameters: { url: "http://127.0.0.1/{% if x %}a{% else %}b{% endif %}" }
    x-note: anything
on_error: check
outputs: { a: "{{ check }}", b: 012, c: [1.10, null, ~, true] }
`,
];

/** What YAML and templates stumble over. */
export const PIECES: readonly string[] = [
  '<AUTO>',
  '</AUTO>',
  '<AUTO type="integer">',
  '<AUTO',
  '{{',
  '}}',
  '{{ x }}',
  '{%',
  '%}',
  '{#',
  '#}',
  '{{ a["b: c"] }}',
  ': ',
  ' #',
  '\n',
  '\n\n',
  '\r\n',
  '\t',
  '  ',
  '- ',
  '? ',
  '| ',
  '|\n',
  '>-\n',
  "'",
  '"',
  '\\',
  '[',
  ']',
  '{',
  '}',
  ',',
  '&a ',
  '*a',
  '!!str ',
  '<<: ',
  '---\n',
  '...\n',
  '%YAML 1.1\n',
  '@',
  '`',
  '\uE021',
  '\uE07D',
  '\u{1F600}',
  '\u0000',
  '\uFEFF',
  'tasks:',
  'steps:',
  'pipeline:',
  '__proto__: 1\n',
  'constructor: x\n',
  'id: ',
  'null',
  '.inf',
  '0o14',
  '1e400',
  '$item',
  'file:a/b',
  '<< a/b >>',
  '[[[[[[[[[[',
  '{{{{{{{{{{',
  "'''''",
  '"""""',
];
