"""The style of the diff's page, beside that of all pages."""

STYLE = """
:root { --warn: #8a5a00; --warn-paper: #fdf3dc; --a: #7fb5ad; --b: #1d1c1a;
  --k1: #0b6e69; --k2: #b0500c; --k3: #7a3fa0; --k4: #2158a8; }
@media (prefers-color-scheme: dark) {
  :root { --warn: #f0c060; --warn-paper: #30270f; --a: #2f6f69; --b: #eceae4;
    --k1: #5cc8c0; --k2: #f0a26a; --k3: #cfa2ec; --k4: #8db9f5; }
}
.top { margin-bottom: 26px; }
.top h1 { display: flex; align-items: center; gap: 16px; font-size: 46px; margin: 0 0 12px; }
.eyebrow { color: var(--quiet); margin: 0 0 10px; font-size: 13px; letter-spacing: .02em; }
.mark { flex: none; width: 26px; height: 26px; border-radius: 50%; background: currentColor; }
.top.parity h1 { color: var(--good); } .top.differences h1 { color: var(--bad); }
.top.within-gates h1 { color: var(--warn); }
.top.differences .mark { border-radius: 5px; transform: rotate(45deg) scale(.82); }
.top p { margin: 0 0 4px; max-width: 68ch; }
.top .sentence { font: 600 21px/1.4 "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, serif;
  margin-bottom: 10px; max-width: 56ch; }
nav { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0 0 34px; font-size: 14px; }
a { color: var(--accent); text-underline-offset: 3px; text-decoration-thickness: 1px; }
section > h2 { font-size: 26px; margin-bottom: 14px; }
section > .lead { margin-bottom: 18px; }
h3 { font-size: 16px; line-height: 1.35; font-weight: 600; margin: 0; }
section > h3 { margin: 18px 0 10px; }
.wide { overflow-x: auto; margin: 0 0 22px; }
.wide table { margin: 0; display: table; }
th.text, td.text { text-align: left; overflow-wrap: break-word; }
.stages th { vertical-align: bottom; max-width: 14ch; line-height: 1.3; }
.numbers td:not(:first-child), .numbers th:not(:first-child) { text-align: right; }
.prose td { max-width: 34ch; vertical-align: top; }
td b { font-weight: 600; }
.quiet, .note { color: var(--quiet); }
.note { font-size: 13.5px; margin: 8px 0 18px; }
.differs { color: var(--bad); font-weight: 600; }
.kind, .state, .stage, .chip { display: inline-block; font-size: 12.5px; line-height: 1; padding: 4px 8px;
  border-radius: 99px; border: 1px solid var(--line); white-space: nowrap; }
.kind.missing, .kind.extra, .kind.wrong, .kind.uncovered, .state.failed { color: var(--bad);
  background: var(--bad-paper); border-color: transparent; }
.kind.event, .kind.dropped, .kind.features, .kind.lost, .kind.unjudged { color: var(--bad);
  background: var(--bad-paper); border-color: transparent; }
.kind.late, .kind.known, .kind.parted { color: var(--warn); background: var(--warn-paper);
  border-color: transparent; }
.state.ok { color: var(--good); background: var(--good-paper); border-color: transparent; }
.state.failed { font-weight: 600; }
details { margin: 0 0 20px; } summary { cursor: pointer; color: var(--accent); }
summary + * { margin-top: 10px; }
.chain { list-style: none; margin: 0; padding: 0; display: grid; gap: 8px;
  grid-template-columns: repeat(7, minmax(0, 1fr)); }
.chain li { position: relative; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 11px 11px; border-top: 4px solid var(--good); display: flex; flex-direction: column; }
.chain li.begins { border-top-color: var(--bad); background: var(--bad-paper); }
.chain li.follows { border-top-color: var(--warn); background: var(--warn-paper); }
.chain p { margin: 0; font-size: 12.5px; line-height: 1.35; }
.chain .says { margin: 1px 0 6px; color: var(--good); min-height: 2.7em; }
.begins .says { color: var(--bad); } .follows .says { color: var(--warn); }
.chain .says b { font-size: 17px; }
.chain .asks { color: var(--quiet); flex: 1; margin-bottom: 12px; }
.bars { display: grid; grid-template-columns: 1fr; gap: 3px; font-size: 12px; }
.bar { display: block; height: 7px; border-radius: 2px; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; border-radius: 2px; background: var(--a); }
.bar.b i { background: var(--b); }
.count { font-variant-numeric: tabular-nums; margin-bottom: 3px; color: var(--quiet); }
.list { list-style: none; margin: 0 0 22px; padding: 0; border-bottom: 1px solid var(--line); }
.list li { border-top: 1px solid var(--line); padding: 12px 0; }
.what { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 8px; margin: 0 0 4px; }
.what small { color: var(--quiet); font-size: 13px; margin-left: auto; }
.id { font-weight: 600; overflow-wrap: anywhere; }
.fields { display: table; margin: 4px 0 0; font-size: 13.5px; width: 100%; table-layout: fixed; }
.fields th, .fields td { text-align: left; padding: 2px 14px 2px 0; border: 0; overflow-wrap: anywhere;
  vertical-align: top; }
.fields th:first-child { width: 19%; } .fields th { color: var(--quiet); }
.fields td:last-child { color: var(--quiet); width: 30%; }
.row-of { display: flex; flex-wrap: wrap; gap: 1px 18px; margin: 4px 0 0; font-size: 13.5px; }
.row-of span { overflow-wrap: anywhere; } .row-of i { font-style: normal; color: var(--quiet); }
.row-of > b { font-weight: 600; }
.why code { overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 26px; margin: 0 0 18px; font-size: 14px; }
.swatch { display: inline-block; width: 17px; height: 12px; margin-right: 8px; vertical-align: -1px; }
.swatch.a { background: var(--a); } .swatch.b { border: 2px solid var(--b); border-bottom: 0; }
.swatch.delta { color: var(--bad); font-style: normal; font-weight: 600; vertical-align: 1px; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(420px, 100%), 1fr));
  gap: 34px 36px; }
.plot p { margin: 2px 0 8px; color: var(--quiet); font-size: 13.5px; }
.plot svg { width: 100%; height: auto; display: block; margin-bottom: 6px; }
.plot text { fill: var(--quiet); font: 13px ui-sans-serif, system-ui, sans-serif;
  font-variant-numeric: tabular-nums; }
.plot text.axis { fill: var(--ink); } .plot text.delta { fill: var(--bad); font-weight: 600; }
.grid { stroke: var(--line); } .base { stroke: var(--quiet); }
.fill-a { fill: var(--a); } .line-b { fill: none; stroke: var(--b); stroke-width: 1.7; }
.group { border-top: 1px solid var(--line); padding: 22px 0 26px; }
.group h3 { font: 600 19px/1.3 "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, serif; }
.both { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 18px; }
.side h4 { margin: 0 0 8px; font-size: 15px; } .side h4 small { color: var(--quiet); font-weight: 400; }
.cluster { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 14px 14px; margin-bottom: 12px; }
.cluster .members { grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); gap: 12px 10px; }
.cluster .picture { background: var(--paper); }
.cluster .badge { left: 3px; top: 3px; font-size: 10px; padding: 3px 6px; }
.cluster .note { margin: 10px 0 0; }
.label { margin: 0 0 10px; color: var(--quiet); font-size: 13.5px; }
.label b { display: inline-block; margin-right: 9px; padding: 2px 8px; border-radius: 5px; font-size: 13px;
  color: var(--card); }
b.k1 { background: var(--k1); } b.k2 { background: var(--k2); }
b.k3 { background: var(--k3); } b.k4 { background: var(--k4); }
.cluster figcaption { font-size: 12px; } .cluster figcaption span { display: block; }
.chip, .cluster figcaption .chip { display: inline-block; margin-top: 4px; padding: 3px 7px;
  font-size: 11.5px; }
.cluster .chip.k1 { color: var(--k1); border-color: var(--k1); }
.cluster .chip.k2 { color: var(--k2); border-color: var(--k2); }
.cluster .chip.k3 { color: var(--k3); border-color: var(--k3); }
.cluster .chip.k4 { color: var(--k4); border-color: var(--k4); }
.cluster .chip.alone { color: var(--bad); border-color: var(--bad); }
.rows { list-style: none; margin: 0; padding: 0; font-size: 13.5px; }
.rows li { display: flex; flex-wrap: wrap; align-items: baseline; gap: 1px 9px; padding: 5px 0; }
.rows li + li { border-top: 1px solid var(--line); }
.rows li > span:not(.badge, .chip), .rows small { color: var(--quiet); }
.rows .badge { position: static; }
.pair q { display: block; margin: 0 0 6px; padding-left: 10px; border-left: 2px solid var(--line);
  font-size: 13.5px; quotes: none; overflow-wrap: anywhere; }
.pair i { font-style: normal; }
.pair small { display: block; color: var(--quiet); }
.rows q { flex-basis: 100%; quotes: none; overflow-wrap: anywhere; }
.store { position: absolute; }
@media (max-width: 900px) {
  .chain { grid-template-columns: 1fr; gap: 6px; }
  .chain li { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 14px;
    border-top-width: 1px; border-left: 4px solid var(--good); padding: 9px 12px; }
  .chain li.begins { border-left-color: var(--bad); border-top-color: var(--line); }
  .chain li.follows { border-left-color: var(--warn); border-top-color: var(--line); }
  .chain .says { min-height: 0; margin: 0; } .chain .asks { grid-column: 1; margin: 0; }
  .bars { grid-column: 2; grid-row: 1 / span 3; align-content: center; }
}
@media (max-width: 620px) {
  .top h1 { font-size: 36px; } .top .sentence { font-size: 18px; }
  .both { grid-template-columns: 1fr; }
  .figures { gap: 12px 26px; }
  .wide td, .wide th { font-size: 13px; padding-left: 14px; }
  .wide td:first-child, .wide th:first-child { padding-left: 0; }
  .fields th:first-child { width: 24%; } .fields td:last-child { width: 22%; }
  .what small { margin-left: 0; flex-basis: 100%; }
}
@media print { .chain, .plots, .group { break-inside: avoid; } nav { display: none; } }
"""
