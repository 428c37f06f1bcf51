import { createHash } from "node:crypto";
import { STATUS_PAGE_SCRIPT } from "./status-page-script.ts";
import { STATUS_PAGE_STYLE } from "./status-page-style.ts";

/**
 * One page without anything from elsewhere: it knows no database, and asks /status.json for all that it shows. The policy allows exactly this
 * style and this script, so that nothing that it shows could ever run.
 */
export const STATUS_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>walrust</title>
<link rel="icon" href="data:,">
<style>${STATUS_PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>walrust</h1>
<p id="about">asking the daemon&hellip;</p>
<nav><a href="/metrics">metrics</a> <a href="/readyz">readyz</a> <a href="/status.json">status.json</a></nav>
</header>
<main>
<p id="offline" role="alert" hidden>The daemon does not answer: what is below is old.</p>
<section id="tiles" aria-label="Summary"></section>
<label id="search" hidden>Find <input type="search" autocomplete="off" spellcheck="false"></label>
<div class="scroll">
<table>
<thead><tr><th>Database<th>State<th class="n">TXID<th class="n">Lag<th class="n">Pending<th class="n">Log<th>Published<th>Snapshot<th>Lag and publications since this page was opened</tr></thead>
<tbody></tbody>
</table>
</div>
<p id="more" hidden></p>
<noscript><p>This page needs its script; <a href="/status.json">status.json</a> has the same facts.</p></noscript>
</main>
<script>${STATUS_PAGE_SCRIPT}</script>
</body>
</html>
`;

export const STATUS_PAGE_POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STATUS_PAGE_STYLE)}`,
  `script-src ${hashOf(STATUS_PAGE_SCRIPT)}`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function hashOf(inline: string): string {
  return `'sha256-${createHash("sha256").update(inline).digest("base64")}'`;
}
