/** The style sheet of a report. Colours are told apart without red and green; every one of them stands beside a glyph and a word. */
export const STYLE = `
:root { color-scheme: light dark;
  --ground: light-dark(#f7f7f5, #14161a); --card: light-dark(#fff, #1c1f25); --ink: light-dark(#1b1d21, #e8e9ec); --faint: light-dark(#636973, #9aa1ad); --line: light-dark(#e2e3e0, #30343c);
  --completed: light-dark(#0b6e99, #4db3dd); --failed: light-dark(#bf3b0b, #ff8a5c); --waiting: light-dark(#8a6100, #e3b341); --running: light-dark(#5b4bd6, #a59bff); --skipped: light-dark(#7a808a, #828995);
  --tint-completed: light-dark(#e8f3f8, #17303b); --tint-failed: light-dark(#fdeee7, #402117); --tint-waiting: light-dark(#fbf3dd, #3a3016); --tint-running: light-dark(#efedfd, #262247); --tint-skipped: light-dark(#f1f1f0, #25282e);
  --model: light-dark(#d9820a, #ffb454); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 1080px; margin: 0 auto; padding: 36px 24px 64px; }
header p, .faint { color: var(--faint); margin: 0; font-size: 13px; }
h1 { font-size: 30px; line-height: 1.2; margin: 2px 0 10px; letter-spacing: -0.015em; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 40px 0 12px; letter-spacing: -0.01em; }
h2 small { font-weight: 400; color: var(--faint); font-size: 13px; margin-left: 8px; }
code, pre, .mono { font-family: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, monospace; font-size: 0.87em; }
pre { margin: 0; padding: 14px 16px; overflow-x: auto; background: var(--ground); border: 1px solid var(--line); border-radius: 8px; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere; }
pre.frame { white-space: pre; }
.verdict { display: flex; gap: 14px; align-items: flex-start; margin-top: 14px; padding: 16px 18px; border-radius: 12px; border: 1px solid; font-size: 17px; line-height: 1.45; }
.verdict .glyph { font-size: 20px; line-height: 1.25; }
.completed { --of: var(--completed); --tint: var(--tint-completed); } .failed { --of: var(--failed); --tint: var(--tint-failed); }
.waiting, .paused, .cancelling { --of: var(--waiting); --tint: var(--tint-waiting); } .running { --of: var(--running); --tint: var(--tint-running); }
.skipped, .cancelled, .pending, .scheduled { --of: var(--skipped); --tint: var(--tint-skipped); }
.verdict { background: var(--tint); border-color: var(--of); } .verdict b, .verdict .glyph { color: var(--of); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 1px; margin: 18px 0 0; background: var(--line); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
.figures div { background: var(--card); padding: 12px 16px; } .figures dt { color: var(--faint); font-size: 12.5px; } .figures dd { margin: 2px 0 0; font-size: 20px; font-weight: 600; letter-spacing: -0.01em; } .figures dd small { display: block; font-size: 12px; font-weight: 400; color: var(--faint); letter-spacing: 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; overflow-x: auto; }
.card.failed { border-color: var(--of); } .card + .card { margin-top: 12px; } .card h3 { margin: 0 0 10px; font-size: 15px; } .card.failed h3 { color: var(--of); }
.card pre + p, .card pre + pre, .card table + p { margin-top: 12px; }
table { width: 100%; border-collapse: collapse; font-size: 13.5px; } th { text-align: left; font-weight: 500; color: var(--faint); font-size: 12.5px; } th, td { padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; } td.number, th.number { text-align: right; white-space: nowrap; } td.path { font-weight: 600; overflow-wrap: anywhere; } td.text { overflow-wrap: anywhere; } td:last-child, th:last-child { padding-right: 0; }
table.log td:nth-child(-n+3) { width: 1%; white-space: nowrap; }
.status { color: var(--of); white-space: nowrap; font-weight: 500; }
details { margin-top: 10px; } details > summary { cursor: pointer; color: var(--faint); font-size: 13.5px; } details[open] > summary { margin-bottom: 8px; } td details { margin: 0; }
svg { display: block; max-width: 100%; height: auto; font-family: inherit; }
svg text { fill: var(--ink); font-size: 12.5px; } svg .fact, svg .axis, svg .took { fill: var(--faint); font-size: 11px; } svg .axis { text-anchor: middle; } svg .number { text-anchor: end; } svg .name { font-weight: 600; } svg .glyph { fill: var(--of); font-weight: 400; }
.node rect { fill: var(--tint); stroke: var(--of); stroke-width: 1; } .node.failed rect { stroke-width: 2; } .node.pending rect, .node.skipped rect, .node.cancelled rect { stroke-dasharray: 4 3; } .node rect.edge-mark { fill: var(--of); stroke: none; }
.edge { fill: none; stroke: var(--skipped); stroke-width: 1.3; opacity: 0.55; } .edge.critical { stroke: var(--ink); stroke-width: 2; opacity: 0.85; }
.cell { fill: var(--of); } .cell.pending, .cell.skipped, .cell.cancelled { fill: var(--tint); stroke: var(--of); stroke-width: 0.5; }
.tick { stroke: var(--line); } .fold { fill: var(--ground); } .bar.run { fill: var(--of); } .bar.run.critical { stroke: var(--ink); stroke-width: 1.5; } .bar.wait { fill: url(#hatch); stroke: var(--waiting); stroke-width: 0.6; } .bar.queue { fill: var(--skipped); opacity: 0.45; } .bar.model { fill: var(--model); }
.hatch-ground { fill: var(--tint-waiting); } .hatch-line { fill: var(--waiting); opacity: 0.55; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 12px 0 0; padding: 0; list-style: none; color: var(--faint); font-size: 12.5px; } .legend svg { display: inline-block; vertical-align: -1px; margin-right: 6px; }
.share { height: 10px; width: 120px; } .share .ground { fill: var(--line); } .share .part { fill: var(--completed); } .share.money .part { fill: var(--model); }
footer { margin-top: 48px; color: var(--faint); font-size: 12.5px; }
@media print { :root { color-scheme: light; } body { background: #fff; font-size: 12px; } main { max-width: none; padding: 0; } .card, .figures, .verdict, tr, svg { break-inside: avoid; } h2 { break-after: avoid; } .card { overflow: visible; } pre.frame { white-space: pre-wrap; } }
`;
