"""The style of the cluster page. No fonts, scripts or pictures from elsewhere; light and dark."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1d1c1a; --quiet: #6f6b64; --line: #e4e0d8;
  --accent: #0b6e69; --good: #17703f; --bad: #b3261e; --good-paper: #e8f4ec; --bad-paper: #fbe9e7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #161615; --card: #1f1f1d; --ink: #eceae4; --quiet: #9c978d; --line: #34332f;
    --accent: #5cc8c0; --good: #7fd6a2; --bad: #ff9a90; --good-paper: #16291e; --bad-paper: #33191a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", "Helvetica Neue", sans-serif;
}
main { max-width: 1180px; margin: 0 auto; padding: 56px 28px 96px; }
h1, h2 { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, serif; font-weight: 600; }
h1 { font-size: 38px; line-height: 1.15; letter-spacing: -.01em; margin: 0 0 6px; }
h2 { font-size: 20px; line-height: 1.3; margin: 0; overflow-wrap: anywhere; }
.lead { color: var(--quiet); margin: 0 0 28px; max-width: 64ch; }
code, .number { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .88em; }
.number { font-variant-numeric: tabular-nums; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 4px 22px; margin: 0 0 26px; }
dl.facts dt { color: var(--quiet); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.figures { display: flex; flex-wrap: wrap; gap: 10px 44px; margin: 0 0 28px; padding: 18px 0;
  border: solid var(--line); border-width: 1px 0; }
.figures div { min-width: 84px; }
.figures b { display: block; font: 600 26px/1.2 "Iowan Old Style", Palatino, Georgia, serif;
  font-variant-numeric: lining-nums tabular-nums; }
.figures span { color: var(--quiet); font-size: 13px; }
.verdict { border-radius: 8px; padding: 12px 16px; margin: 0 0 20px; font-weight: 600; }
.verdict small { display: block; font-weight: 400; font-size: 13px; opacity: .85; overflow-wrap: anywhere; }
.verdict.parity { background: var(--good-paper); color: var(--good); }
.verdict.differences { background: var(--bad-paper); color: var(--bad); }
table { border-collapse: collapse; margin: 0 0 28px; }
th, td { text-align: right; padding: 5px 0 5px 28px; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 400; font-size: 13px; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td { font-variant-numeric: tabular-nums; }
section { border-top: 1px solid var(--line); padding: 26px 0 30px; }
section header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 14px; margin-bottom: 14px; }
section header span { color: var(--quiet); font-size: 13px; }
.members { display: grid; grid-template-columns: repeat(auto-fill, minmax(124px, 1fr)); gap: 16px 14px; }
figure { margin: 0; min-width: 0; }
.picture { position: relative; aspect-ratio: 1; border-radius: 6px; overflow: hidden; background: var(--card);
  border: 1px solid var(--line); display: flex; align-items: center; justify-content: center; }
.picture img { max-width: 100%; max-height: 100%; display: block; }
.picture em { color: var(--quiet); font-style: normal; font-size: 12px; padding: 8px; text-align: center; }
.head .picture { outline: 2px solid var(--accent); outline-offset: 1px; border-color: transparent; }
.badge { position: absolute; left: 6px; top: 6px; background: var(--accent); color: var(--paper);
  font-size: 11px; line-height: 1; letter-spacing: .04em; padding: 4px 7px; border-radius: 99px; }
.picture svg { width: 100%; height: 100%; display: block; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(330px, 100%), 1fr));
  gap: 22px 20px; margin-top: 22px; }
.pair svg { width: 100%; height: auto; display: block; border-radius: 6px; background: var(--card);
  border: 1px solid var(--line); }
.pair path { fill: none; stroke-linecap: round; }
.under { stroke: #000; stroke-width: 2.6; stroke-opacity: .45; }
.rim { stroke: #000; stroke-width: 7; stroke-opacity: .6; }
.line { stroke-width: 1.3; }
.dot { stroke-width: 4.6; }
.c0 { stroke: #ffd84d; } .c1 { stroke: #ff9a5c; } .c2 { stroke: #ff7fb0; } .c3 { stroke: #b99cff; }
.c4 { stroke: #62d0ff; }
.points { color: var(--accent); font-weight: 500; }
figcaption { padding-top: 6px; font-size: 12.5px; line-height: 1.35; }
figcaption b { display: block; font-weight: 500; overflow-wrap: anywhere; }
figcaption span { color: var(--quiet); }
footer { color: var(--quiet); font-size: 13px; border-top: 1px solid var(--line); padding-top: 18px; }
@media (max-width: 560px) {
  main { padding: 32px 16px 64px; } h1 { font-size: 30px; }
  dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: 8px; }
  .members { grid-template-columns: repeat(auto-fill, minmax(124px, 1fr)); }
  table { display: block; overflow-x: auto; } th, td { padding-left: 9px; font-size: 12px; }
}
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""
