export const STATUS_PAGE_STYLE = `
:root { color-scheme: light dark; --paper: #fbfbf9; --card: #fff; --ink: #1d2326; --dim: #667075; --line: #e2e4e0;
  --good: #1a7f4b; --busy: #1f6fb2; --bad: #b3261e; --warn: #8a5a00; --bar: #1f6fb2; --tick: #9db8cc; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181a; --card: #1c2225; --ink: #e6eaeb; --dim: #97a3a8; --line: #2e373b;
  --good: #5ccb8f; --busy: #74b6ee; --bad: #ff8a80; --warn: #e6b450; --bar: #74b6ee; --tick: #46606f; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.45 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; padding: 16px 24px; border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 20px; letter-spacing: -0.01em; }
header p { margin: 0; color: var(--dim); flex: 1 1 300px; overflow-wrap: anywhere; }
a { color: var(--busy); }
nav a { margin-left: 10px; }
main { padding: 16px 24px 32px; }
#tiles { display: flex; flex-wrap: wrap; gap: 12px; margin-bottom: 16px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 16px; min-width: 130px; }
.tile b { display: block; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile span { color: var(--dim); }
#offline { color: var(--bad); font-weight: 600; }
#search { display: block; margin-bottom: 12px; color: var(--dim); }
input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 4px 8px; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 8px 12px; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; }
th { color: var(--dim); font-weight: 500; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
.name { font-weight: 600; }
.under { display: block; color: var(--dim); font-weight: 400; max-width: 340px; overflow: hidden; text-overflow: ellipsis; }
.error { color: var(--bad); white-space: normal; overflow-wrap: anywhere; }
.state::before { content: "\\25CF\\00A0"; }
.good { color: var(--good); } .busy { color: var(--busy); } .bad { color: var(--bad); } .warn { color: var(--warn); }
svg { display: block; width: 240px; height: 32px; }
svg .lag { fill: none; stroke: var(--bar); stroke-width: 1.5; stroke-linejoin: round; }
svg .tick { stroke: var(--tick); stroke-width: 1; }
#more { color: var(--dim); }
`;
