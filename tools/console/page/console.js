// The console's page: one view per address behind '#', drawn from the JSON below /api, drawn anew every two seconds.
// Everything that came from the cluster reaches the document as text, never as markup.
"use strict";

const REFRESH_MS = 2000;
const view = document.getElementById("view");
const live = document.getElementById("live");
const pulse = document.getElementById("pulse");
const problem = document.getElementById("problem");
let drawing = 0;

// An element: h("td.number", {title: "x"}, child, ...).
function h(what, ...rest) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const item of rest.flat(2)) {
    if (item === null || item === undefined || item === false) continue;
    if (item instanceof Node) element.append(item);
    else if (typeof item === "object") for (const [name, value] of Object.entries(item)) {
      if (typeof value === "function") element.addEventListener(name, value);
      else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    else element.append(String(item));
  }
  return element;
}

const number = (value) => value === null || value === undefined ? "–" : value.toLocaleString("en-US");

function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${unit ? value.toFixed(value < 10 ? 2 : 1) : value} ${units[unit]}`;
}

const time = (ms) => ms === null || ms === undefined ? "–" : new Date(ms).toISOString().replace("T", " ").replace("Z", "");

// columns: [heading, row => cell, class]
function table(id, columns, rows, empty) {
  if (!rows.length) return h("p.quiet", {id}, empty);
  return h("div.scroll", h("table", {id},
    h("thead", h("tr", columns.map(([heading, , kind]) => h(kind ? `th.${kind}` : "th", {scope: "col"}, heading)))),
    h("tbody", rows.map((row) => h("tr", columns.map(([, cell, kind]) => h(kind ? `td.${kind}` : "td", cell(row))))))));
}

const card = (label, value, kind) => h("div.card", h(kind ? `b.${kind}` : "b", value), h("span", label));
const link = (href, text) => h("a", {href}, text);
const topicLink = (name) => link(`#/topics/${encodeURIComponent(name)}`, name);
const groupLink = (name) => link(`#/groups/${encodeURIComponent(name)}`, name || "(empty id)");
const count = (items, test) => items.reduce((sum, item) => sum + (test(item) ? 1 : 0), 0);
const sum = (items, value) => items.reduce((total, item) => {
  const one = value(item);
  return one === null || one === undefined ? total : (total ?? 0) + one;
}, null);

async function ask(path) {
  const answer = await fetch(path, {headers: {accept: "application/json"}});
  const body = await answer.json().catch(() => ({error: `${answer.status} ${answer.statusText}`}));
  if (!answer.ok) throw new Error(body.error || `${answer.status}`);
  return body;
}

async function brokers() {
  const cluster = await ask("/api/cluster");
  return [
    h("h1", "Brokers"),
    h("div.cards",
      card("brokers", number(cluster.brokers.length)),
      card("controller", cluster.controller === null ? "none" : cluster.controller, cluster.controller === null ? "bad" : null),
      card("stored", bytes(sum(cluster.brokers, (broker) => broker.bytes)))),
    table("brokers", [
      ["Id", (broker) => [link(`#/brokers/${broker.id}`, broker.id), broker.id === cluster.controller ? [" ", h("span.tag.good", "controller")] : null]],
      ["Address", (broker) => `${broker.host}:${broker.port}`, "mono"],
      ["Rack", (broker) => broker.rack ?? "–"],
      ["Leads", (broker) => number(broker.leaders), "number"],
      ["Replicas", (broker) => number(broker.replicas), "number"],
      ["Out of sync", (broker) => h(broker.outOfSync ? "span.warn" : "span", number(broker.outOfSync)), "number"],
      ["Stored", (broker) => bytes(broker.bytes), "number"],
    ], cluster.brokers, "No broker is registered."),
  ];
}

async function broker(id) {
  const found = await ask(`/api/brokers/${encodeURIComponent(id)}`);
  return [
    h("p.crumb", link("#/brokers", "Brokers")),
    h("h1", `Broker ${found.id}`),
    h("h2", "Log directories"),
    table("directories", [
      ["Directory", (dir) => dir.path, "mono"],
      ["State", (dir) => dir.error ? h("span.tag.bad", dir.error) : h("span.tag.good", "online")],
      ["Replicas", (dir) => number(dir.replicas), "number"],
      ["Stored", (dir) => bytes(dir.bytes), "number"],
      ["Capacity", (dir) => bytes(dir.totalBytes), "number"],
      ["Free", (dir) => bytes(dir.usableBytes), "number"],
    ], found.directories, "This broker does not tell its log directories."),
    configs(found.configs),
  ];
}

function topicRows(topics) {
  const wanted = (filter.value || "").toLowerCase();
  return topics.filter((topic) => (internal.checked || !topic.internal) && topic.name.toLowerCase().includes(wanted));
}

// Kept between drawings, so that what was typed stays.
const filter = h("input", {id: "filter", type: "search", placeholder: "name contains", autocomplete: "off", input: () => draw()});
const internal = h("input", {id: "internal", type: "checkbox", change: () => draw()});

async function topics() {
  const all = await ask("/api/topics");
  const under = sum(all, (topic) => topic.underReplicated) ?? 0;
  const offline = sum(all, (topic) => topic.offline) ?? 0;
  return [
    h("h1", "Topics"),
    h("div.cards",
      card("topics", number(all.length)),
      card("partitions", number(sum(all, (topic) => topic.partitions) ?? 0)),
      card("under-replicated", number(under), under ? "warn" : "good"),
      card("offline", number(offline), offline ? "bad" : "good")),
    h("form", {submit: (event) => event.preventDefault()}, h("label", "Filter", filter), h("label", "Internal topics", internal)),
    table("topics", [
      ["Topic", (topic) => [topicLink(topic.name), topic.internal ? [" ", h("span.tag.quiet", "internal")] : null]],
      ["Partitions", (topic) => number(topic.partitions), "number"],
      ["Replication", (topic) => number(topic.replicationFactor), "number"],
      ["In sync", (topic) => topic.offline ? h("span.tag.bad", `${topic.offline} offline`)
        : topic.underReplicated ? h("span.tag.warn", `${topic.underReplicated} under-replicated`) : h("span.tag.good", "all")],
      ["Records", (topic) => number(topic.records), "number"],
      ["Stored", (topic) => bytes(topic.bytes), "number"],
    ], topicRows(all), "No topic matches."),
  ];
}

async function topic(name) {
  const found = await ask(`/api/topics/${encodeURIComponent(name)}`);
  const under = count(found.partitions, (one) => one.isr.length < one.replicas.length);
  return [
    h("p.crumb", link("#/topics", "Topics")),
    h("h1", found.name),
    h("div.cards",
      card("partitions", number(found.partitions.length)),
      card("under-replicated", number(under), under ? "warn" : "good"),
      card("records", number(sum(found.partitions, (one) => one.end === null || one.start === null ? null : one.end - one.start))),
      card("stored on leaders", bytes(sum(found.partitions, (one) => one.bytes)))),
    h("p", link(`#/topics/${encodeURIComponent(name)}/messages`, "Look at messages")),
    h("h2", "Partitions"),
    table("partitions", [
      ["Partition", (one) => one.partition, "number"],
      ["Leader", (one) => one.leader === null ? h("span.tag.bad", "none") : link(`#/brokers/${one.leader}`, one.leader)],
      ["Epoch", (one) => number(one.leaderEpoch), "number"],
      ["Replicas", (one) => one.replicas.join(", "), "mono"],
      ["ISR", (one) => h(one.isr.length < one.replicas.length ? "span.warn" : "span", one.isr.join(", ")), "mono"],
      ["Start", (one) => number(one.start), "number"],
      ["End", (one) => number(one.end), "number"],
      ["Stored", (one) => bytes(one.bytes), "number"],
    ], found.partitions, "No partitions."),
    configs(found.configs),
  ];
}

function configs(entries) {
  const changed = entries.filter((entry) => !entry.isDefault);
  return [
    h("h2", "Configuration"),
    table("configs", [
      ["Key", (entry) => entry.name, "mono"],
      ["Value", (entry) => entry.sensitive ? h("span.quiet", "hidden") : entry.value ?? h("span.quiet", "null"), "mono"],
      ["From", (entry) => entry.source],
    ], changed, "Everything is at its default."),
    h("details", h("summary.quiet", `${entries.length - changed.length} at their defaults`),
      table("default-configs", [["Key", (entry) => entry.name, "mono"], ["Value", (entry) => entry.value ?? "null", "mono"]],
        entries.filter((entry) => entry.isDefault), "None.")),
  ];
}

const stateKind = (state) => ({Stable: "good", Empty: "quiet", Dead: "bad"})[state] || "warn";

async function groups() {
  const all = await ask("/api/groups");
  const most = Math.max(1, ...all.map((group) => group.lag ?? 0));
  return [
    h("h1", "Consumer groups"),
    h("div.cards", card("groups", number(all.length)), card("members", number(sum(all, (group) => group.members) ?? 0)),
      card("lag of all", number(sum(all, (group) => group.lag) ?? 0))),
    table("groups", [
      ["Group", (group) => groupLink(group.id)],
      ["State", (group) => group.error ? h("span.tag.bad", group.error) : h(`span.tag.${stateKind(group.state)}`, group.state)],
      ["Protocol", (group) => group.protocol || "–"],
      ["Coordinator", (group) => group.coordinator ?? "–", "number"],
      ["Members", (group) => number(group.members), "number"],
      ["Lag", (group) => {
        const bar = h("span.bar");
        bar.style.width = `${Math.round(60 * (group.lag ?? 0) / most)}px`;
        return [group.lag ? bar : null, number(group.lag)];
      }, "number"],
    ], all, "No consumer group."),
  ];
}

async function group(id) {
  const found = await ask(`/api/groups/${encodeURIComponent(id)}`);
  return [
    h("p.crumb", link("#/groups", "Consumer groups")),
    h("h1", found.id),
    h("div.cards", card("state", found.state), card("coordinator", found.coordinator ?? "–"),
      card("members", number(found.members.length)), card("lag", number(sum(found.offsets, (one) => one.lag)))),
    h("h2", "Offsets"),
    table("offsets", [
      ["Topic", (one) => topicLink(one.topic)],
      ["Partition", (one) => one.partition, "number"],
      ["Committed", (one) => number(one.committed), "number"],
      ["End", (one) => number(one.end), "number"],
      ["Lag", (one) => h(one.lag ? "span.warn" : "span", number(one.lag)), "number"],
      ["Member", (one) => one.member ?? "–", "mono"],
    ], found.offsets, "Nothing committed."),
    h("h2", "Members"),
    table("members", [
      ["Member", (member) => member.id, "mono"],
      ["Client", (member) => member.client, "mono"],
      ["Host", (member) => member.host, "mono"],
      ["Partitions", (member) => number(member.partitions), "number"],
    ], found.members, "No members now."),
  ];
}

// JSON with line breaks, each of its words as it stands: read as numbers and written again, 9.90 would be 9.9, and large ones
// others. Throws if it is none.
function indented(text) {
  JSON.parse(text);
  let out = "", depth = 0, before = "";
  const line = () => "\n" + "  ".repeat(depth);
  for (const [word] of text.matchAll(/"(?:[^"\\]|\\.)*"|[^\s"{}[\],:]+|[{}[\],:]/g)) {
    if (word === "}" || word === "]") {
      depth--;
      out += (before === "{" || before === "[" ? "" : line()) + word;
    } else {
      out += (before === "{" || before === "[" || before === "," ? line() : "") + (word === ":" ? ": " : word);
      if (word === "{" || word === "[") depth++;
    }
    before = word;
  }
  return out;
}

function shown(data, how) {
  if (data === null) return h("span.quiet", "null");
  if (how === "hex" || data.text === null) return h("pre", (data.hex.match(/.{1,2}/g) || []).join(" "), data.cut ? " …" : "");
  if (how === "json") {
    try { return h("pre", indented(data.text)); } catch { /* shown as text */ }
  }
  return h("pre", data.text, data.cut ? " …" : "");
}

const look = {
  partition: h("input", {id: "partition", type: "number", min: 0, value: 0}),
  from: h("select", {id: "from"}, h("option", {value: "last"}, "the newest"), h("option", {value: "offset"}, "offset"), h("option", {value: "time"}, "time (UTC)")),
  offset: h("input", {id: "offset", type: "number", min: 0, value: 0}),
  time: h("input", {id: "time", type: "datetime-local", step: 1}),
  limit: h("input", {id: "limit", type: "number", min: 1, max: 500, value: 50}),
  how: h("select", {id: "how"}, h("option", {value: "json"}, "text or JSON"), h("option", {value: "text"}, "text"), h("option", {value: "hex"}, "hex")),
};

async function messages(name) {
  const query = new URLSearchParams({partition: look.partition.value, limit: look.limit.value});
  if (look.from.value === "offset") query.set("offset", look.offset.value);
  if (look.from.value === "time" && look.time.value) query.set("timestamp", Date.parse(`${look.time.value}Z`));
  const found = await ask(`/api/topics/${encodeURIComponent(name)}/messages?${query}`);
  return [
    h("p.crumb", link("#/topics", "Topics"), " / ", topicLink(name)),
    h("h1", `Messages of ${name}`),
    h("form", {submit: (event) => { event.preventDefault(); draw(); }},
      h("label", "Partition", look.partition), h("label", "From", look.from), h("label", "Offset", look.offset),
      h("label", "Time", look.time), h("label", "How many", look.limit), h("label", "Show as", look.how), h("button", "Look")),
    h("p.quiet", `Offsets ${number(found.start)} to ${number(found.end)}.`),
    table("messages", [
      ["Offset", (one) => number(one.offset), "number"],
      ["Time (UTC)", (one) => time(one.timestamp), "mono"],
      ["Key", (one) => shown(one.key, look.how.value)],
      ["Value", (one) => shown(one.value, look.how.value)],
      ["Headers", (one) => one.headers.map((header) => h("div.mono", `${header.key}: `, header.value === null ? "null" : header.value.text ?? header.value.hex))],
    ], found.messages, "No message there."),
  ];
}

function route() {
  const parts = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  switch (parts[0]) {
    case "brokers": return parts[1] === undefined ? brokers : () => broker(parts[1]);
    case "groups": return parts[1] === undefined ? groups : () => group(parts[1]);
    case "topics":
      if (parts[1] === undefined || parts[1] === "") return topics;
      return parts[2] === "messages" ? () => messages(parts[1]) : () => topic(parts[1]);
    default: return topics;
  }
}

// Drawings overtake each other when the address changes: only the newest is shown.
async function draw() {
  const mine = ++drawing;
  const here = location.hash.split("/")[1] || "topics";
  for (const item of document.querySelectorAll("nav a")) item.classList.toggle("here", item.getAttribute("href") === `#/${here}`);
  try {
    const content = await route()();
    if (mine !== drawing) return;
    const focused = document.activeElement;
    const open = [...view.querySelectorAll("details")].map((details) => details.open);
    view.replaceChildren(...content.flat(2).filter(Boolean));
    view.querySelectorAll("details").forEach((details, index) => { details.open = open[index] || false; });
    if (focused && view.contains(focused)) focused.focus();
    view.dataset.drawn = location.hash || "#/topics";
    problem.hidden = true;
    pulse.className = "beat";
  } catch (error) {
    if (mine !== drawing) return;
    problem.textContent = error.message;
    problem.hidden = false;
    pulse.className = "lost";
  }
}

async function name() {
  try {
    const cluster = await ask("/api/cluster");
    document.getElementById("cluster").textContent = `cluster ${cluster.clusterId ?? "without id"}`;
  } catch { /* the view says what is wrong */ }
}

let look_hash = "";
window.addEventListener("hashchange", () => {
  // Another topic's messages start from its newest.
  const topic = location.hash.split("/")[2];
  if (topic !== look_hash) { look_hash = topic; look.partition.value = 0; look.from.value = "last"; }
  view.replaceChildren();
  draw();
});
// A drawing of what somebody reads would take the text selection and the scroll position of long messages away.
setInterval(() => { if (live.checked && !document.hidden && !location.hash.endsWith("/messages")) draw(); }, REFRESH_MS);
name();
draw();
