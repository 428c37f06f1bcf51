/**
 * The script of the status page, for any browser of the last years. Everything that comes from the daemon goes into the page as text. It asks
 * more seldom the more databases there are, and not at all while nobody looks.
 */
export const STATUS_PAGE_SCRIPT = `"use strict";
const EVERY_MS = 2000, MS_PER_DATABASE = 5, POINTS = 120, MAX_ROWS = 200;
const MOODS = { serving: "good", parked: "good", opening: "busy", snapshotting: "busy", repairing: "busy", waiting: "bad", failed: "bad", fenced: "bad", stopped: "warn" };
const histories = new Map();
let latest;

const $ = (selector) => document.querySelector(selector);
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
function duration(ms) {
  if (ms < 1000) return Math.round(ms) + " ms";
  const s = ms / 1000;
  if (s < 60) return (s < 10 ? s.toFixed(1) : Math.round(s)) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 172800) return Math.floor(s / 3600) + " h";
  return Math.floor(s / 86400) + " d";
}
function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; unit += 1; }
  return (unit === 0 || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)) + " " + units[unit];
}
const ago = (time) => (time === null ? "–" : duration(Math.max(0, Date.now() - Date.parse(time))) + " ago");

function note(database) {
  const points = histories.get(database.name) || [];
  const before = points[points.length - 1];
  points.push({ lag: database.lag_ms, txid: database.published_txid, published: before !== undefined && before.txid !== database.published_txid });
  if (points.length > POINTS) points.shift();
  histories.set(database.name, points);
}
function spark(points) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 240 32");
  svg.setAttribute("role", "img");
  const longest = Math.max(1000, ...points.map((point) => point.lag));
  svg.setAttribute("aria-label", "lag up to " + duration(longest));
  const x = (index) => (240 * (index + 0.5)) / POINTS;
  points.forEach((point, index) => {
    if (!point.published) return;
    const tick = document.createElementNS(svg.namespaceURI, "line");
    tick.setAttribute("class", "tick");
    for (const [name, value] of [["x1", x(index)], ["x2", x(index)], ["y1", 26], ["y2", 32]]) tick.setAttribute(name, value);
    svg.append(tick);
  });
  const line = document.createElementNS(svg.namespaceURI, "polyline");
  line.setAttribute("class", "lag");
  line.setAttribute("points", points.map((point, index) => x(index).toFixed(1) + "," + (24 - (22 * point.lag) / longest).toFixed(1)).join(" "));
  svg.append(line);
  return svg;
}
function row(database) {
  const tr = make("tr");
  const name = make("td", "name", database.name);
  const path = make("span", "under", database.path);
  path.title = database.path;
  name.append(path);
  if (database.error) name.append(make("span", "under error", database.error.code + ": " + database.error.message));
  const state = make("td");
  state.append(make("span", "state " + (MOODS[database.state] || "warn"), database.state), make("span", "under", "for " + ago(database.since).replace(" ago", "")));
  const txid = make("td", "n", database.published_txid === null ? "–" : String(database.published_txid));
  if (database.captured_txid !== null && database.captured_txid !== database.published_txid) txid.append(make("span", "under", "captured " + database.captured_txid));
  const published = make("td", "", ago(database.last_published));
  const snapshot = make("td", "", database.snapshot_txid === null ? "none" : ago(database.snapshot_taken));
  if (database.next_snapshot !== null) snapshot.append(make("span", "under", "next in " + duration(Math.max(0, Date.parse(database.next_snapshot) - Date.now()))));
  const picture = make("td");
  picture.append(spark(histories.get(database.name) || []));
  tr.append(name, state, txid, make("td", database.ready ? "n" : "n bad", duration(database.lag_ms)), make("td", "n", size(database.pending)),
    make("td", "n", database.wal_size === null ? "–" : size(database.wal_size)), published, snapshot, picture);
  return tr;
}
function tile(value, label, mood) {
  const element = make("div", "tile");
  element.append(make("b", mood, value), make("span", "", label));
  return element;
}
function show() {
  const all = latest.databases;
  const late = all.filter((database) => !database.ready);
  $("#about").textContent = latest.version + ", process " + latest.pid + ", up " + ago(latest.started).replace(" ago", "") + ", to " + latest.storage;
  $("#tiles").replaceChildren(
    tile(String(all.length), all.length === 1 ? "database" : "databases", ""),
    tile(String(late.length), "not ready", late.length > 0 ? "bad" : "good"),
    tile(duration(Math.max(0, ...all.map((database) => database.lag_ms))), "longest lag", ""),
    tile(size(all.reduce((sum, database) => sum + database.pending, 0)), "pending", ""));
  $("#search").hidden = all.length < 10;
  const wanted = $("#search input").value.toLowerCase();
  const found = all.filter((database) => (database.name + " " + database.path + " " + database.state).toLowerCase().includes(wanted));
  found.sort((a, b) => a.ready - b.ready || (a.name < b.name ? -1 : 1));
  $("tbody").replaceChildren(...found.slice(0, MAX_ROWS).map(row));
  $("#more").hidden = found.length <= MAX_ROWS;
  $("#more").textContent = "and " + (found.length - MAX_ROWS) + " more";
}
async function ask() {
  try {
    if (!document.hidden) {
      const response = await fetch("/status.json", { cache: "no-store" });
      if (!response.ok) throw new Error(response.statusText);
      latest = await response.json();
      for (const database of latest.databases) note(database);
      const names = new Set(latest.databases.map((database) => database.name));
      for (const name of histories.keys()) if (!names.has(name)) histories.delete(name);
      show();
    }
    $("#offline").hidden = true;
  } catch (error) {
    $("#offline").hidden = false;
  }
  setTimeout(ask, EVERY_MS + MS_PER_DATABASE * (latest ? latest.databases.length : 0));
}
$("#search input").addEventListener("input", () => latest && show());
ask();
`;
