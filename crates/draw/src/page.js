// What the page does: it keeps one step, and shows what is in view of it.
//
//   the trace    what happened, as columns of numbers; a row is a moment, and a step
//   the layout   where each row and each lane stands, in pixels of the whole picture
//   the picture  of all that only what is in view: lines on a canvas, text as elements
//   the panel    one call in words
//   the keys     what moves the step
//
// Its words are in the trace's block as well, in the language of the page: say(KEY, { name: value }).
// Whatever came over a wire becomes text by textContent, and nothing else.
"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const make = (name, of = "", text = "") => {
    const element = document.createElement(name);
    element.className = of;
    element.textContent = text;
    return element;
  };

  // ---- the trace ----

  // A file has its columns as small numbers, which take less room: html.rs says what each means. A page that grows has them
  // as they are.
  function unpacked(trace) {
    const { calls, turns } = trace;
    if (!turns) return trace;
    let at = 0;
    calls.from = calls.after.map((after) => (at += after));
    let last = 0;
    const number = (n) => (n === 0 ? (last += 1) : n < 0 ? last + n + 1 : n - 1);
    const columns = ["state", "name", "asked", "answered", "sentence", "strace", "errno", "data"];
    for (let call = 0; call < calls.lane.length; call++) {
      for (const column of columns) calls[column][call] = number(calls[column][call]);
    }
    let next = 0;
    trace.rows = turns.map((back) => {
      const call = next - back;
      next = Math.max(next, call + 1);
      return call;
    });
    return trace;
  }

  const trace = unpacked(JSON.parse(find("trace").textContent));
  const { lanes, words, calls, rows } = trace;
  const NONE = -1;
  const word = (column, call) => words[calls[column][call]];
  const laneOf = (row) => calls.lane[rows[row]];

  // A call of two rows began in the first and returned in the second.
  const began = [];
  const returned = [];
  const rowsOf = [];
  const barsOf = [];
  const errors = [];
  const begins = (row) => began[rows[row]] === row && returned[rows[row]] !== row;
  const ends = (row) => returned[rows[row]] === row && began[rows[row]] !== row;
  const timeOf = (row) => calls.from[rows[row]] + (ends(row) ? calls.took[rows[row]] : 0);
  const marks = new Set(trace.marks); // the calls that the preface speaks of

  // Reads the rows from this one on; what is known of those above it stays.
  function readRows(first = 0) {
    while (rowsOf.length < lanes.length) (rowsOf.push([]), barsOf.push([]));
    while (began.length < calls.lane.length) (began.push(NONE), returned.push(NONE));
    for (let row = first; row < rows.length; row++) {
      const call = rows[row];
      const lane = calls.lane[call];
      if (began[call] === NONE) began[call] = row;
      else barsOf[lane].push(call);
      returned[call] = row;
      rowsOf[lane].push(row);
    }
    for (let row = first; row < rows.length; row++) {
      if (calls.failed[rows[row]] && returned[rows[row]] === row) errors.push(row);
    }
    barsOf.forEach((bars) => bars.sort((a, b) => began[a] - began[b]));
  }

  const arrows = [];
  const causes = new Map();
  const effects = new Map();
  const add = (map, key, value) => map.get(key)?.push(value) ?? map.set(key, [value]);
  const reach = []; // of each arrow, the lowest row that it or one before it comes to

  // Reads the arrows from this one on.
  function readArrows(first = 0) {
    for (let nth = first; nth < trace.arrows.length; nth++) {
      const [kind, [fromLane, fromCall, toLane, toCall], bytes, about] = trace.arrows[nth];
      const start = fromCall === NONE ? NONE : began[fromCall];
      const end = toCall === NONE ? NONE : kind === "fork" ? began[toCall] : returned[toCall];
      const from = start === NONE ? end : start;
      const to = end === NONE ? start : end;
      const arrow = { kind, fromLane, fromCall, toLane, toCall, bytes, from, to, word: words[about], nth };
      arrows.push(arrow);
      reach.push(Math.max(from, to, reach.at(-1) ?? NONE));
      if (toCall !== NONE) add(causes, toCall, arrow);
      if (fromCall !== NONE) add(effects, fromCall, arrow);
      add(...shelfOf(arrow), arrow);
    }
  }

  // Which arrows cross some rows: an arrow over up to 2^n rows is in shelf n, in the box of 2^n rows in
  // which it starts. So an arrow that crosses a row is in the box of that row, or in the one before.
  const shelves = [];
  const shelfOf = ({ from, to }) => {
    const n = 32 - Math.clz32(Math.abs(to - from));
    return [(shelves[n] ??= new Map()), Math.min(from, to) >> n];
  };
  const crossing = (first, last) => {
    const found = [];
    shelves.forEach((boxes, n) => {
      for (let box = (first >> n) - 1; box <= last >> n; box++) {
        for (const arrow of boxes.get(box) ?? []) {
          const [a, b] = arrow.from < arrow.to ? [arrow.from, arrow.to] : [arrow.to, arrow.from];
          if (a <= last && b >= first) found.push(arrow);
        }
      }
    });
    return found;
  };

  readRows();
  readArrows();

  // The first place in a rising list whose value is not below this one.
  const place = (length, at, value) => {
    let [low, high] = [0, length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at(middle) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  // ---- words ----

  const say = (key, values = {}) => trace.say[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const grouped = (n) => n.toLocaleString("en-US");
  const span = (ns) => {
    const three = (n) => n.toFixed(n < 9.995 ? 2 : n < 99.95 ? 1 : 0);
    if (ns < 1e3) return `${ns} ns`;
    if (ns < 999_500) return `${three(ns / 1e3)} µs`;
    if (ns < 999_500_000) return `${three(ns / 1e6)} ms`;
    return ns < 1e11 ? `${(ns / 1e9).toFixed(3)} s` : `${grouped(Math.round(ns / 1e9))} s`;
  };
  const clock = (ns) => (Math.floor(ns / 1e3) / 1e6).toFixed(6);
  const bytesText = (n) => (n === 1 ? say("byte") : say("bytes", { n: grouped(n) }));
  const isNote = (call) => word("name", call) === "";
  const answer = (call) => {
    const times = calls.times[call] > 1 ? ` × ${grouped(calls.times[call])}` : "";
    return word("answered", call) + times;
  };
  // What stands beside a row: what was asked, what was answered.
  const label = (row) => {
    const call = rows[row];
    const asked = ends(row) ? "" : word("asked", call);
    if (begins(row)) return [asked, ""];
    return [asked, answer(call) || (ends(row) ? say("returned") : "")];
  };
  const headline = (call) => word("asked", call) + (answer(call) && ` → ${answer(call)}`);
  const asSentence = (text) => (/[.!?。！？]$/.test(text) ? text : text + say("stop"));
  const inWords = (row) => {
    const call = rows[row];
    if (isNote(call)) return asSentence(word("sentence", call));
    if (begins(row)) return say("called", { call: word("asked", call), time: span(calls.took[call]) });
    return word("name", call) + say("colon") + asSentence(word("sentence", call));
  };
  // A lane within a sentence.
  const named = (lane) => {
    const { name } = lanes[lane];
    if (name === say("server")) return say("the-server");
    return document.documentElement.lang === "zh" && /[\x21-\x7e]$/.test(name) ? `${name} ` : name;
  };
  // What a step changed: what left, where what came in had been sent, the state of TCP, and which calls wait now.
  const changed = (row) => {
    const call = rows[row];
    const said = [];
    const tell = (way, { kind, bytes, word: about, fromCall }, lane) => {
      const connected = kind === "connect" && way === "out" && !begins(row);
      const what = connected ? "connected" : kind === "bytes" && bytes === 1 ? "byte" : kind;
      const values = { lane: named(lane), bytes: bytesText(bytes), fin: about === "FIN" ? say("fin") : "" };
      if (way === "in") values.n = grouped((kind === "fork" ? returned[fromCall] : began[fromCall]) + 1);
      // A space behind Latin letters is for the words that follow them.
      const sentence = say(`${way}-${what}`, values).replace(/ (?=[。，：])/g, "");
      said.push(sentence[0].toUpperCase() + sentence.slice(1));
    };
    if (!begins(row)) {
      for (const arrow of causes.get(call) ?? []) if (arrow.fromCall !== NONE) tell("in", arrow, arrow.fromLane);
    }
    if (began[call] === row) {
      for (const arrow of effects.get(call) ?? []) if (arrow.toLane !== NONE) tell("out", arrow, arrow.toLane);
    }
    // More than a few of a kind would be a list, and the panel has that.
    said.splice(3);
    if (word("state", call) && !begins(row)) said.push(say("now-state", { state: word("state", call) }));
    const waits = lanes.flatMap(({ name: lane }, i) => {
      const bars = barsOf[i];
      const found = bars.filter((other) => began[other] <= row && returned[other] > row);
      return found.slice(0, 1).map((other) => say("waits-in", { lane, call: word("name", other) }));
    });
    if (waits.length > 0 && waits.length <= 8) said.push(say("waiting", { who: waits.join(say("comma")) }));
    return said.join(say("space"));
  };

  // ---- the state ----

  let step = NONE; // NONE: no step is taken, the whole is shown
  let peeked = NONE; // the row under the pointer, or with the focus
  let toScale = trace.to_scale;
  let rem = 16;
  let dots = 1; // of the screen, in a pixel of the page
  let timer = 0;
  const shown = lanes.map(() => true);
  const placed = trace.order ?? lanes.map((_, i) => i); // the lanes, from left to right

  // ---- the layout ----

  const [scroll, world, view, ink, panel] = ["scroll", "world", "view", "ink", "panel"].map(find);
  const pen = ink.getContext("2d");
  const HEAD = 3; // in rem, as all sizes below: the height of the lanes' names
  const LINE = 1.2; // of a label
  const THIN = 0.1; // a lifeline
  const ROW = 2;
  const LARGE = 24; // pixels of a rem, for a projector
  const GUTTER = 6.4; // the times
  const PAD = 0.9; // between a lifeline and its labels
  const BEFORE = 1.5; // of what stands before a lifeline, at least so much comes into view with it

  // An edge between two dots of the screen would be a blur of both, so edges stand on whole dots; and
  // whatever is to be seen has one at least.
  const whole = (length) => Math.round(length * dots) / dots;
  const thick = (length) => Math.max(whole(length), 1 / dots);

  // How wide a text is, in rem. Labels are set without kerning, so the sum of its letters is exact; letters
  // beyond ASCII count as wide ones.
  const font = getComputedStyle(document.body).fontFamily;
  const letters = [400, 600].map((weight) => {
    pen.font = `${weight} 64px ${font}`;
    pen.fontKerning = "none";
    return Array.from({ length: 127 }, (_, code) => pen.measureText(String.fromCharCode(code)).width / 64);
  });
  const widthOf = (text, bold = false) => {
    let sum = 0;
    for (let i = 0; i < text.length; i++) sum += letters[Number(bold)][text.charCodeAt(i)] ?? 1;
    return sum;
  };

  // A label is as words that stand on one line or more. What it asks begins with the name of the call; a
  // change of state is a box at its end.
  const pieces = (row) => {
    const call = rows[row];
    const [asked, answered] = label(row);
    const state = begins(row) ? "" : word("state", call);
    const failed = calls.failed[call] && !begins(row);
    const text = `${marks.has(call) ? "◆ " : ""}${failed ? "✗ " : ""}${asked}${asked && answered ? " " : ""}${answered && `→ ${answered}`}`;
    return { text, state, failed };
  };
  const labelWidth = ({ text, state }) => widthOf(text, true) + (state ? widthOf(state) + 0.9 : 0);
  const widest = [];
  // Measures the labels of the rows from this one on, and the names of the lanes.
  function measure(first = 0) {
    lanes.forEach((lane, i) => {
      widest[i] = Math.max(widest[i] ?? 0, widthOf(lane.name, true) + 0.6, widthOf(lane.detail) + 0.6);
    });
    for (let row = first; row < rows.length; row++) {
      const lane = laneOf(row);
      widest[lane] = Math.max(widest[lane], labelWidth(pieces(row)) + 0.6);
    }
  }
  measure();

  // The words of a label, line by line, where they have this room.
  function wrap(row, room) {
    const { text, state, failed } = pieces(row);
    const list = [""];
    let used = 0;
    // A line ends at spaces, which then belong to none, and behind a Chinese character. Punctuation stays with what it
    // follows.
    for (const part of text.match(/ ?(?:[\u2e80-\uffef]|[^ \u2e80-\uffef]+)[，。：；、）」”！？]*| /g) ?? []) {
      const wide = widthOf(part, true);
      const first = list.at(-1) === "";
      if (!first && used + wide > room) {
        list.push(part.trimStart());
        used = widthOf(part.trimStart(), true);
      } else {
        list[list.length - 1] += part;
        used += wide;
      }
    }
    const box = state ? widthOf(state) + 0.9 : 0;
    if (box && used + box > room) list.push("");
    return { list, state, failed };
  }
  const linesOf = (row, room) => (labelWidth(pieces(row)) <= room ? 1 : wrap(row, room).list.length);

  let widths = []; // of each lane's labels, in rem
  const y = []; // of each row
  let x = []; // of each lane; undefined if it is hidden
  let order = []; // the lanes that are shown
  const tall = []; // for each lane, of each of its rows: the lines of its label
  const tops = []; // for each lane, of the label of each of its rows
  const sides = []; // of each row: see sidesOfLabels
  let heights = { down: [], breaks: new Map() }; // how much lower a row is than the one before; the rows before which time is left out
  let most = 1; // the most lines of a label
  let laid = ""; // what all of this was made for
  let size = { width: 0, height: 0 };

  // Lays out the rows from this one on, or all of them if those above have to move as well.
  function layout(first = 0) {
    // A media query would not know the size of the text.
    document.querySelector("main").classList.toggle("narrow", window.innerWidth < 60 * rem);
    dots = window.devicePixelRatio || 1;
    order = placed.filter((i) => shown[i]);
    columns();
    let from = first;
    const isFor = JSON.stringify([rem, dots, toScale, order, widths, x]);
    if (isFor !== laid) from = 0;
    laid = isFor;
    const before = heights;
    heights = heightsNow();
    for (let row = 0; row < from; row++) if (heights.down[row] !== before.down[row]) from = row;
    const starts = lanes.map((_, i) => place(rowsOf[i].length, (n) => rowsOf[i][n], from));
    const highest = from === 0 ? 1 : most;
    most = highest;
    lanes.forEach((_, i) => {
      if (!shown[i]) return (tall[i] = []);
      tall[i] = tall[i] ?? [];
      tall[i].length = starts[i];
      for (let n = starts[i]; n < rowsOf[i].length; n++) {
        const lines = linesOf(rowsOf[i][n], widths[i] - 0.5);
        tall[i].push(lines);
        most = Math.max(most, lines);
      }
    });
    if (from > 0 && Math.min(most, 3) !== Math.min(highest, 3)) return layout(0);
    // Rows are even, and so high that the label with the most lines has room.
    const unit = rem * (toScale ? ROW : Math.max(ROW, Math.min(most, 3) * LINE + 0.1));
    let at = from > 0 ? y[from - 1] : HEAD * rem;
    y.length = from;
    for (let row = from; row < rows.length; row++) {
      // Rows of even height close up where a lane is hidden; to scale, time stays as it is.
      const counts = toScale || shown[laneOf(row)] || heights.breaks.has(row);
      at += counts ? (heights.down[row] * unit) / 100 : 0;
      y.push(at);
    }
    sidesOfLabels(from);
    let bottom = at;
    lanes.forEach((_, i) => {
      if (!shown[i]) return (tops[i] = []);
      tops[i] = tops[i] ?? [];
      tops[i].length = starts[i];
      const high = (n) => tall[i][n] * LINE * rem;
      let free = starts[i] > 0 ? tops[i][starts[i] - 1] + high(starts[i] - 1) : 0;
      for (let n = starts[i]; n < rowsOf[i].length; n++) {
        // Where rows are too close for their labels, a label stands lower, and a line leads to it.
        tops[i].push(Math.max(y[rowsOf[i][n]] + (sides[rowsOf[i][n]] - 1) * 0.5 * high(n), free));
        free = tops[i][n] + high(n);
      }
      bottom = Math.max(bottom, free);
    });
    size.height = bottom + 2 * ROW * rem; // below the last row is room for the names of lanes out of view
    // No browser scrolls more than some 16 million pixels.
    world.style.height = `${Math.min(size.height, 15e6)}px`;
    world.style.width = `${size.width}px`;
  }

  // How much lower each row stands than the one before, in hundredths of a row; and the rows before which time was left out,
  // with how much.
  function heightsNow() {
    const { longest, per_ns: perNs } = toScale ? trace.scale : trace.even;
    const found = { down: [], breaks: new Map() };
    for (let row = 0; row < rows.length; row++) {
      const gap = row > 0 ? timeOf(row) - timeOf(row - 1) : 0;
      if (gap > longest) found.breaks.set(row, gap);
      found.down.push(gap > longest ? 200 : toScale && row > 0 ? Math.round(gap * perNs) : 100);
    }
    return found;
  }

  // The first lane, the server's, has its labels to the left, the others to the right; so between the first two
  // there is nothing but arrows. It stays where it is when the others are scrolled.
  function columns() {
    const gap = (n) => (n === 1 ? 8 : 5);
    const view = scroll.clientWidth / rem - GUTTER - 1;
    let room = view;
    order.forEach((_, n) => (room -= PAD + (n > 0 ? gap(n) : 0)));
    // Where they do not fit, there is room for the first one, and beside it for one more at a time.
    const first = Math.min(16, Math.max(5, 0.3 * view));
    const other = Math.min(16, Math.max(6, view - first - 2 * PAD - BEFORE - 1));
    // A lane that needs less than a fair share leaves the rest to the others.
    widths = [];
    const byNeed = order.toSorted((a, b) => widest[a] - widest[b]);
    byNeed.forEach((lane, n) => {
      const share = room / (byNeed.length - n);
      const most = lane === order[0] ? first : other;
      widths[lane] = Math.min(widest[lane], share < 12 ? most : share);
      room -= widths[lane];
    });
    const spare = Math.max(0, room);
    const more = Math.min(spare / Math.max(order.length - 1, 1), 16);
    x = [];
    let at = GUTTER + 0.5;
    const half = thick(THIN * rem) / 2;
    order.forEach((lane, n) => {
      if (n === 0) at += widths[lane] + PAD;
      else at += gap(n) + more + (n > 1 ? PAD + widths[order[n - 1]] : 0);
      x[lane] = whole(at * rem - half) + half; // the middle of its lifeline
    });
    const last = order.length > 1 ? PAD + widths[order.at(-1)] : 2;
    size.width = Math.max((at + last + 0.5) * rem, 1);
  }

  // Whether the label of a row stands above (-1), at (0) or below (1) it: out of the way of an arrow on the
  // side of the labels.
  function sidesOfLabels(first) {
    sides.length = first;
    while (sides.length < rows.length) sides.push(0);
    const rank = new Map(order.map((lane, n) => [lane, n]));
    for (let nth = place(reach.length, (n) => reach[n], first); nth < arrows.length; nth++) {
      const { fromLane, toLane, fromCall, toCall, from, to } = arrows[nth];
      const [a, b] = [rank.get(fromLane), rank.get(toLane)];
      if (a === undefined || b === undefined || a === b) continue;
      if (fromCall !== NONE && a > 0 && b > a && from >= first && sides[from] === 0) sides[from] = -1;
      if (toCall !== NONE && b > 0 && a > b && to >= first) sides[to] = 1;
    }
  }

  const leftLabels = (lane) => lane === order[0];
  // Where a lane stands in the view, scrolled so far; what is left of `edge` belongs to the first lane.
  const across = (lane, left) => x[lane] - (lane === order[0] ? 0 : left);
  const edge = () => (order.length > 0 ? x[order[0]] + 0.5 * rem : 0);

  // ---- the picture ----

  // Keeps the children of an element: those in `wanted` (key → what brings it up to date), and the one
  // that has the focus.
  function keeper(container, create) {
    const kept = new Map();
    const keep = (wanted) => {
      for (const [key, element] of kept) {
        if (wanted.has(key) || element === document.activeElement) continue;
        element.remove();
        kept.delete(key);
      }
      let next = container.firstChild;
      for (const [key, update] of [...wanted].sort(([a], [b]) => a - b)) {
        let element = kept.get(key);
        if (!element) kept.set(key, (element = create(key)));
        while (next && next !== element && next === document.activeElement && !wanted.has(Number(next.dataset.key))) next = next.nextSibling;
        if (element === next) next = next.nextSibling;
        else container.insertBefore(element, next);
        update(element);
      }
    };
    // What these elements show has become something else.
    keep.forget = (which = () => true) => {
      for (const key of [...kept.keys()].filter(which)) {
        kept.get(key).remove();
        kept.delete(key);
      }
    };
    return keep;
  }
  // Puts an element where it begins, or where it ends.
  const put = (element, at, top, ends = false) => {
    element.style.left = ends ? "auto" : `${Math.round(at)}px`;
    element.style.right = ends ? `${Math.round(-at)}px` : "auto"; // of a box without width
    element.style.top = `${Math.round(top)}px`;
  };

  const keepCalls = keeper(find("calls"), (row) => {
    const call = rows[row];
    const lane = lanes[calls.lane[call]];
    const element = make("button", `call ${lane.role === "server" ? "server" : "client"}`);
    element.type = "button";
    element.dataset.key = row;
    if (isNote(call)) element.classList.add("note");
    if (calls.failed[call] && !begins(row)) element.classList.add("failed");
    dress(element, row);
    const state = word("state", call);
    const what = begins(row) ? say("begins", { call: word("asked", call) }) : headline(call);
    const whole = state && !begins(row) ? say("label-state", { what, state }) : what;
    element.setAttribute("aria-label", say("label", { n: row + 1, lane: lane.name, what: whole }));
    return element;
  });
  // Writes a label, in as many lines as its room asks for.
  function dress(element, row) {
    const room = widths[calls.lane[rows[row]]] - 0.5;
    if (element.dataset.room === String(room)) return;
    element.dataset.room = room;
    const { list, state } = wrap(row, room);
    const name = ends(row) ? "" : word("name", rows[row]);
    const written = list.map((text) => make("span", "", text));
    const at = name ? list[0].indexOf(name) : NONE;
    if (at !== NONE) {
      written[0].textContent = list[0].slice(0, at);
      written[0].append(make("b", "", name), list[0].slice(at + name.length));
    }
    if (state) written.at(-1).append(make("i", "", state));
    element.replaceChildren(...written);
  }
  const keepWaits = keeper(find("waits"), (key) => {
    const element = make("div", "wait", span(calls.took[-key - 1]));
    element.dataset.key = key;
    return element;
  });
  const keepWords = keeper(find("words"), (nth) => {
    const element = make("span", "", arrows[nth].word);
    element.dataset.key = nth;
    return element;
  });
  const keepHeads = keeper(find("heads"), (i) => {
    const element = make("div", `head ${lanes[i].role === "server" ? "server" : "client"}`, lanes[i].name);
    element.append(make("small", "", lanes[i].detail));
    return element;
  });

  let asked = false; // for a frame
  const redraw = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };

  // How far down the picture is scrolled; a very long one moves faster than its scrollbar.
  const faster = () => {
    const bar = Math.min(size.height, 15e6) - scroll.clientHeight;
    return bar > 0 ? Math.max((size.height - scroll.clientHeight) / bar, 1) : 1;
  };

  function draw() {
    const [width, height] = [scroll.clientWidth, scroll.clientHeight];
    const [left, top] = [whole(scroll.scrollLeft), scroll.scrollTop * faster()];
    view.style.width = `${width}px`;
    view.style.height = `${height}px`;
    const inSight = order.filter((i) => {
      const at = across(i, left);
      return leftLabels(i) || (at >= edge() && at < width + 6 * rem);
    });
    const first = place(rows.length, (row) => y[row], top);
    const last = place(rows.length, (row) => y[row], top + height + 1) - 1;
    const frame = { width, height, left, top, inSight, first, last };
    lines(frame);
    arrowWords(frame, labels(frame));
    times(frame);
    beyond(frame);
    const heads = new Map();
    for (const i of inSight) {
      heads.set(i, (element) => {
        element.classList.toggle("left", leftLabels(i));
        element.style.width = `${(widths[i] + PAD) * rem}px`;
        const at = across(i, left) + (leftLabels(i) ? 0.4 : -0.4) * rem;
        put(element, at, 0, leftLabels(i));
      });
    }
    keepHeads(heads);
  }

  // Puts the labels and the times of waits; where they stand.
  function labels({ left, top, height, inSight }) {
    const [wanted, waits, boxes, times] = [new Map(), new Map(), [], []];
    for (const i of inSight) {
      const wide = widths[i] * rem;
      for (let n = place(tops[i].length, (n) => tops[i][n], top + (HEAD - 3 * LINE) * rem); n < tops[i].length && tops[i][n] < top + height; n++) {
        const row = rowsOf[i][n];
        const at = across(i, left) + (leftLabels(i) ? -PAD : PAD) * rem;
        const room = Math.min(labelWidth(pieces(row)) + 0.4, widths[i]) * rem;
        const high = linesOf(row, widths[i] - 0.5) * LINE * rem;
        boxes.push([leftLabels(i) ? at - room : at, tops[i][n] - top, leftLabels(i) ? at : at + room, tops[i][n] - top + high]);
        wanted.set(row, (element) => {
          dress(element, row);
          element.classList.toggle("left", leftLabels(i));
          element.classList.toggle("now", row === step);
          element.classList.toggle("later", step !== NONE && row > step);
          if (row === step) element.setAttribute("aria-current", "step");
          else element.removeAttribute("aria-current");
          element.style.maxWidth = `${wide}px`;
          put(element, at, tops[i][n] - top, leftLabels(i));
        });
      }
      for (const call of barsInSight(i, top + HEAD * rem, top + height)) {
        const from = Math.max(y[began[call]], top + HEAD * rem);
        const to = Math.min(y[returned[call]], top + height);
        if (to - from < LINE * rem) continue;
        const at = across(i, left) + (leftLabels(i) ? 0.6 : -0.6) * rem;
        const [high, wide] = [LINE * rem, (widthOf(span(calls.took[call])) * 0.9 + 0.4) * rem];
        const [start, end] = leftLabels(i) ? [at, at + wide] : [at - wide, at];
        // In the middle of its bar, or where no time of the next lane stands; the panel has it in any case.
        const free = (begin) => times.every(([e, f, g, h]) => e >= end || g <= start || f >= begin + high || h <= begin);
        const middle = (from + to - high) / 2 - top;
        const begin = [middle, middle - high, middle + high]
          .find((begin) => begin >= from - top && begin + high <= to - top && free(begin));
        if (begin === undefined) continue;
        times.push([start, begin, end, begin + high]);
        waits.set(-call - 1, (element) => {
          put(element, at, begin, !leftLabels(i));
          element.style.visibility = leftLabels(i) || at - wide > edge() ? "" : "hidden";
        });
      }
    }
    keepCalls(wanted);
    keepWaits(waits);
    return boxes.concat(times);
  }

  // Puts the word of each arrow on its line, where nothing else stands: nearer to where it begins, because several
  // arrows may end at one call. A word that finds no place is left out; the panel has it.
  function arrowWords({ left, top, height, width, first, last }, taken) {
    const wanted = new Map();
    const lanesAt = order.map((lane) => across(lane, left));
    for (const arrow of crossing(Math.max(first, 0), Math.max(last, first))) {
      const { fromLane, toLane, from, to, word: text, nth } = arrow;
      if (wanted.size > 300 || !text || [fromLane, toLane].some((lane) => lane !== NONE && !shown[lane])) continue;
      const [wide, high] = [(widthOf(text) * 0.85 + 0.4) * rem, 1.05 * rem];
      const free = (px, py) => {
        const [a, b, c, d] = [px - wide / 2, py - high / 2, px + wide / 2, py + high / 2];
        return a > Math.max(edge(), GUTTER * rem) && c < width && b > HEAD * rem && d < height
          && lanesAt.every((at) => at < a - 0.4 * rem || at > c + 0.4 * rem)
          && taken.every(([e, f, g, h]) => e >= c || g <= a || f >= d || h <= b)
          && [px, py, taken.push([a, b, c, d])];
      };
      const [ax, bx] = [fromLane, toLane].map((lane) => (lane === NONE ? NaN : across(lane, left)));
      const [ay, by] = [y[from] - top, y[to] - top];
      let places;
      if (fromLane === NONE || toLane === NONE) {
        const lane = fromLane === NONE ? toLane : fromLane;
        const [at, sign] = [across(lane, left), leftLabels(lane) ? 1 : -1];
        places = [0, -1, 1].map((n) => [at + sign * (4 * rem + wide / 2), (fromLane === NONE ? by - 0.7 * rem : ay + 0.7 * rem) + n * high]);
      } else if (fromLane === toLane) {
        places = [[ax + (leftLabels(fromLane) ? 1 : -1) * (1.2 * rem + wide / 2), (ay + by) / 2]];
      } else {
        places = [0.3, 0.4, 0.2, 0.5, 0.15, 0.6, 0.7, 0.1, 0.8, 0.9].map((t) => [ax + (bx - ax) * t, ay + (by - ay) * t]);
      }
      let place;
      places.some(([px, py]) => (place = free(px, py)));
      if (!place) continue;
      wanted.set(nth, (element) => {
        element.classList.toggle("later", step !== NONE && to > step);
        put(element, place[0] - wide / 2 + 0.2 * rem, place[1] - high / 2);
      });
    }
    keepWords(wanted);
  }

  // Says which lanes are out of view to either side.
  function beyond({ left, width }) {
    const hidden = { left: [], right: [] };
    order.forEach((lane, n) => {
      const at = across(lane, left);
      if (n > 0 && at < edge()) hidden.left.push(lanes[lane].name);
      else if (n > 0 && at + (PAD + Math.min(widths[lane], widest[lane])) * rem > width + 1) hidden.right.push(lanes[lane].name);
    });
    for (const [side, button] of [["left", find("leftward")], ["right", find("rightward")]]) {
      const all = hidden[side].join(say("comma"));
      button.hidden = all === "";
      button.textContent = say(`beyond-${side}`, { lanes: all });
      button.title = say(`beyond-${side}-title`, { lanes: all });
    }
    find("beyond").style.left = `${edge()}px`;
  }
  const sideways = (sign) => (scroll.scrollLeft += sign * Math.max(scroll.clientWidth - edge() - 4 * rem, 8 * rem));

  function barsInSight(i, from, to) {
    const bars = barsOf[i];
    const found = [];
    for (let n = place(bars.length, (n) => y[returned[bars[n]]], from); n < bars.length && y[began[bars[n]]] < to; n++) {
      found.push(bars[n]);
    }
    return found;
  }

  // Where time was left out: in the middle between two rows.
  const cut = (row) => (row > 0 ? (y[row - 1] + y[row]) / 2 : y[row]);

  function times({ top, height, first, last }) {
    const column = find("times");
    const list = [];
    const stand = (at, text, of) => {
      const element = make("div", of, text);
      element.style.top = `${Math.round(at - top - (LINE * rem) / 2)}px`;
      list.push(element);
    };
    let free = -Infinity;
    for (let row = first; row <= Math.min(last + 1, rows.length - 1); row++) {
      if (heights.breaks.has(row)) {
        stand(cut(row), `≈ ${span(heights.breaks.get(row))}`, "break");
        free = cut(row) + LINE * rem;
      }
      if (!shown[laneOf(row)] || y[row] < free) continue;
      stand(y[row], clock(timeOf(row)));
      free = y[row] + LINE * rem;
    }
    list.push(make("div", "title", say("time")));
    column.replaceChildren(...list);
  }

  function lines(frame) {
    const { width, height, left, top, inSight, first, last } = frame;
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    const roleOf = (lane) => color(lanes[lane].role === "server" ? "server" : "client");
    if (ink.width !== Math.round(width * dots) || ink.height !== Math.round(height * dots)) {
      ink.width = Math.round(width * dots);
      ink.height = Math.round(height * dots);
    }
    pen.setTransform(dots, 0, 0, dots, 0, 0);
    pen.clearRect(0, 0, width, height);
    const isLater = (row) => step !== NONE && row > step;
    const faint = 0.35;
    const thin = thick(THIN * rem);
    const wide = thin + 2 * whole(0.25 * rem); // a wait, with the lifeline in its middle

    if (step !== NONE) {
      pen.fillStyle = color("raised");
      pen.fillRect(0, whole(y[step] - top - (LINE * rem) / 2), width, whole(LINE * rem));
      pen.fillStyle = color("line");
      pen.fillRect(0, whole(y[step] - top - 0.5), width, thick(1));
    }
    const lifeline = (i) => {
      pen.strokeStyle = lanes[i].traced ? color("line") : roleOf(i);
      pen.lineWidth = thin;
      pen.setLineDash(lanes[i].traced ? [rem / 10, rem / 4] : [rem / 2, rem / 2]);
      stroke([across(i, left), HEAD * rem], [across(i, left), height]);
      pen.setLineDash([]);
      if (!lanes[i].traced) return;
      // From its first record to its last a lane is known to live; before and after, nothing is known.
      const [born, gone] = [rowsOf[i][0], rowsOf[i].at(-1)].map((row) => whole(Math.min(Math.max(y[row] - top, 0), height)));
      pen.strokeStyle = roleOf(i);
      stroke([across(i, left), born], [across(i, left), gone]);
    };
    inSight.forEach(lifeline);
    const bars = (i) => {
      pen.fillStyle = color("wait");
      for (const call of barsInSight(i, top, top + height)) {
        const [from, to] = [Math.max(y[began[call]] - top, 0), Math.min(y[returned[call]] - top, height)].map(whole);
        const now = step === NONE || returned[call] <= step ? to : Math.min(to, Math.max(from, began[call] > step ? from : whole(y[step] - top)));
        pen.globalAlpha = 1;
        pen.fillRect(across(i, left) - wide / 2, from, wide, now - from);
        pen.globalAlpha = faint;
        pen.fillRect(across(i, left) - wide / 2, now, wide, to - now);
      }
    };
    inSight.forEach(bars);
    pen.globalAlpha = 1;
    for (let row = Math.max(first - 1, 1); row <= Math.min(last + 1, rows.length - 1); row++) {
      if (heights.breaks.has(row)) wave(cut(row) - top, width, color);
    }
    for (const arrow of crossing(Math.max(first, 0), Math.max(last, first))) {
      const of = { reset: color("error"), fork: color("dim") }[arrow.kind];
      const ends = [arrow.fromLane, arrow.toLane].filter((lane) => lane !== NONE);
      pen.save();
      // An arrow of the first lane begins at its lifeline, and that is left of where the others end.
      pen.beginPath();
      pen.rect(ends.some(leftLabels) ? x[order[0]] : edge(), 0, width, height);
      pen.clip();
      pen.globalAlpha = isLater(arrow.to) ? faint : 1;
      drawArrow(arrow, left, top, of ?? roleOf(ends[0]));
      pen.restore();
    }
    for (let row = first; row <= last; row++) {
      const lane = laneOf(row);
      if (!shown[lane]) continue;
      const failed = calls.failed[rows[row]] && !begins(row);
      if (!leftLabels(lane) && across(lane, left) < edge()) continue;
      pen.globalAlpha = isLater(row) ? faint : 1;
      pen.fillStyle = failed ? color("error") : roleOf(lane);
      pen.beginPath();
      pen.arc(across(lane, left), y[row] - top, (row === step ? 0.45 : 0.26) * rem, 0, 2 * Math.PI);
      pen.fill();
    }
    // From a row to its label, if that had to stand lower.
    pen.lineWidth = 1;
    pen.strokeStyle = color("dim");
    for (const i of inSight) {
      const side = leftLabels(i) ? -1 : 1;
      for (let n = place(tops[i].length, (n) => tops[i][n], top); n < tops[i].length && tops[i][n] < top + height; n++) {
        const [row, middle] = [rowsOf[i][n], tops[i][n] + (LINE * rem) / 2];
        if (middle - y[row] <= LINE * rem) continue;
        pen.globalAlpha = isLater(row) ? faint : 0.8;
        stroke([across(i, left), y[row] - top], [across(i, left) + side * PAD * rem, middle - top]);
      }
    }
    pen.globalAlpha = 1;
  }

  function stroke(...points) {
    pen.beginPath();
    points.forEach(([px, py], n) => (n === 0 ? pen.moveTo(px, py) : pen.lineTo(px, py)));
    pen.stroke();
  }

  function wave(at, width, color) {
    const half = 0.22 * rem;
    const swing = (px) => Math.sin((px / rem) * Math.PI) * 0.15 * rem;
    const edge = (side) => {
      const points = [];
      for (let px = GUTTER * rem; px <= width + 4; px += 4) points.push([px, at + side * half + swing(px)]);
      return points;
    };
    const [upper, lower] = [edge(-1), edge(1)];
    pen.fillStyle = color("paper");
    pen.beginPath();
    [...upper, ...lower.toReversed()].forEach(([px, py]) => pen.lineTo(px, py));
    pen.fill();
    pen.strokeStyle = color("line");
    pen.lineWidth = 1.5;
    stroke(...upper);
    stroke(...lower);
  }

  function drawArrow({ kind, fromLane, toLane, fromCall, toCall, from, to }, left, top, color) {
    if ([fromLane, toLane].some((lane) => lane !== NONE && !shown[lane])) return;
    pen.strokeStyle = pen.fillStyle = color;
    pen.lineWidth = rem / 9;
    const unseen = (lane, call) => lane !== NONE && call === NONE;
    pen.setLineDash(kind === "fork" || unseen(fromLane, fromCall) || unseen(toLane, toCall) ? [rem / 4, rem / 4] : []);
    const here = (lane, row) => [across(lane, left), y[row] - top];
    // Into the air, away from the labels.
    const air = (lane, sign) => [(leftLabels(lane) ? 1 : -1) * 3.5 * rem, sign * 0.7 * rem];
    if (fromLane === toLane) {
      const [[ax, ay], [, by]] = [here(fromLane, from), here(toLane, to)];
      const side = (leftLabels(fromLane) ? 1 : -1) * 2 * rem;
      pen.beginPath();
      pen.moveTo(ax, ay);
      pen.quadraticCurveTo(ax + side, (ay + by) / 2, ax + Math.sign(side) * 0.4 * rem, by);
      pen.stroke();
      tip(ax, by, -side, 0.001, kind);
    } else if (toLane === NONE) {
      const [ax, ay] = here(fromLane, from);
      const [dx, dy] = air(fromLane, 1);
      const [bx, by, arm] = [ax + dx, ay + dy, 0.3 * rem];
      stroke([ax, ay], [bx, by]);
      pen.setLineDash([]);
      stroke([bx - arm, by - arm], [bx + arm, by + arm]);
      stroke([bx - arm, by + arm], [bx + arm, by - arm]);
    } else {
      const [bx, by] = here(toLane, to);
      const [dx, dy] = fromLane === NONE ? air(toLane, -1) : [0, 0];
      const [ax, ay] = fromLane === NONE ? [bx + dx, by + dy] : here(fromLane, from);
      const long = Math.hypot(bx - ax, by - ay) || 1;
      const back = 0.5 * rem;
      stroke([ax, ay], [bx - ((bx - ax) / long) * back, by - ((by - ay) / long) * back]);
      tip(bx, by, bx - ax, by - ay, kind);
    }
    pen.setLineDash([]);
  }

  // The head of an arrow; that of an end is hollow.
  function tip(px, py, dx, dy, kind) {
    const long = Math.hypot(dx, dy);
    const [ux, uy] = [dx / long, dy / long];
    const [ex, ey, deep, wide] = [px - ux * 0.25 * rem, py - uy * 0.25 * rem, 0.7 * rem, 0.3 * rem];
    pen.setLineDash([]);
    pen.beginPath();
    pen.moveTo(ex, ey);
    pen.lineTo(ex - ux * deep - uy * wide, ey - uy * deep + ux * wide);
    pen.lineTo(ex - ux * deep + uy * wide, ey - uy * deep - ux * wide);
    pen.closePath();
    if (kind === "end") {
      const ink = pen.fillStyle;
      pen.fillStyle = getComputedStyle(document.body).backgroundColor;
      pen.fill();
      pen.fillStyle = ink;
      pen.stroke();
    } else pen.fill();
  }

  // ---- the panel ----

  function explain() {
    const row = peeked !== NONE ? peeked : step;
    panel.replaceChildren(...(row === NONE ? overview() : explanation(row)));
    panel.scrollTop = 0;
  }

  function facts(pairs) {
    const list = make("dl");
    for (const [term, ...about] of pairs) {
      list.append(make("dt", "", term));
      const fact = make("dd");
      fact.append(...about);
      list.append(fact);
    }
    return list;
  }

  function overview() {
    const seen = lanes.filter((lane) => lane.traced).length;
    const text = make("p", "sentence", say(rows.length ? "first" : "no-calls"));
    const about = [
      [say("lanes"), say(seen < lanes.length ? "untraced" : "traced", { n: seen, m: lanes.length - seen })],
      [say("calls"), grouped(calls.times.reduce((all, times) => all + times, 0))],
      [say("errors"), grouped(errors.length)],
      [say("span"), span(trace.span)],
    ];
    return [make("h2", "", say("all-lanes")), text, facts(about)];
  }

  function explanation(row) {
    const call = rows[row];
    const [name, failed] = [word("name", call), calls.failed[call] && !begins(row)];
    const where = { lane: lanes[calls.lane[call]].name, n: grouped(row + 1), all: grouped(rows.length) };
    const head = say("head", { ...where, time: clock(timeOf(row)) });
    const text = make("p", failed ? "sentence failed" : "sentence", inWords(row));
    const change = changed(row);
    const about = [];
    if (!isNote(call)) {
      about.push([say("strace"), make("code", "", word("strace", call))]);
      if (word("errno", call)) about.push([say(failed ? "error" : "answer"), word("errno", call)]);
      if (calls.times[call] > 1) about.push([say("times"), say("equal", { n: grouped(calls.times[call]) })]);
      if (calls.bytes[call] > 0) {
        const data = word("data", call);
        const more = calls.bytes[call] > 64 ? "…" : "";
        about.push([say("data"), bytesText(calls.bytes[call]), ...(data ? [": ", make("code", "", `"${data}"${more}`)] : [])]);
      }
      about.push([say("took"), span(calls.took[call])]);
    }
    if (marks.has(call)) about.unshift(["◆", say("marked")]);
    if (word("state", call) && !begins(row)) about.push([say("state"), word("state", call)]);
    const linked = [...(begins(row) ? [] : linksOf(causes, call, true)), ...linksOf(effects, call, false)];
    if (/^[a-z0-9_]+$/.test(name)) {
      const page = make("a", "", `${name}(2)`);
      page.href = `https://man7.org/linux/man-pages/man2/${name}.2.html`;
      page.target = "_blank";
      page.rel = "noopener noreferrer";
      about.push([say("manual"), page]);
    }
    return [make("h2", "", head), text, ...(change ? [make("p", "changed", change)] : []), ...linked, facts(about)];
  }

  // What came to a call, or went from it: a button that goes to the other end.
  function linksOf(map, call, incoming) {
    const SHOWN = 12;
    const all = map.get(call) ?? [];
    const list = all.slice(0, SHOWN).map((arrow) => {
      const [lane, other] = incoming ? [arrow.fromLane, arrow.fromCall] : [arrow.toLane, arrow.toCall];
      const about = { bytes: bytesText(Math.max(arrow.bytes, 0)), fin: arrow.word === "FIN" ? say("fin") : "" };
      const what = arrow.kind === "bytes" ? about.bytes : say(`a-${arrow.kind}`, about);
      if (lane === NONE) {
        return make("p", "", say(incoming ? "unsent" : arrow.kind === "bytes" ? "unread" : "unseen", { what }));
      }
      const ends = { what, lane: lanes[lane].name, call: other === NONE ? "" : word("asked", other) };
      if (other === NONE) return make("p", "", say(incoming ? "from-untraced" : "to-untraced", ends));
      const row = arrow.kind === "fork" || !incoming ? (incoming ? began[other] : arrow.to) : arrow.from;
      const button = make("button", "", say(incoming ? "from" : "to", ends));
      button.type = "button";
      button.addEventListener("click", () => go(row));
      return button;
    });
    if (all.length > SHOWN) list.push(make("p", "", say("more", { n: grouped(all.length - SHOWN) })));
    return list;
  }

  // ---- the steps ----

  // The next row of a lane that is shown, or NONE.
  function beside(row, by) {
    for (let next = row + by; next >= 0 && next < rows.length; next += by) {
      if (shown[laneOf(next)]) return next;
    }
    return NONE;
  }
  const firstStep = () => beside(-1, 1);
  const lastStep = () => beside(rows.length, -1);
  const forward = () => {
    const next = beside(step, 1);
    if (next === NONE) pause();
    else go(next);
  };
  const backward = () => go(step === NONE ? NONE : beside(step, -1));

  function go(row) {
    step = row;
    peeked = NONE;
    if (step !== NONE) bringIntoView();
    tell();
    explain();
    redraw();
  }

  function tell() {
    find("said").textContent = step === NONE ? say("whole") : say("step", {
      n: step + 1, all: rows.length, lane: lanes[laneOf(step)].name, words: [inWords(step), changed(step)].filter((said) => said).join(say("space")),
    });
    find("back").disabled = step === NONE;
    find("next").disabled = beside(step, 1) === NONE;
    find("error").disabled = errors.length === 0;
  }

  function bringIntoView() {
    const height = scroll.clientHeight;
    const at = y[step] - scroll.scrollTop * faster();
    if (at < (HEAD + 2) * rem || at > height * 0.8) {
      scroll.scrollTop = (y[step] - Math.max(height * 0.4, (HEAD + 2) * rem)) / faster();
    }
    bringLaneIntoView(laneOf(step));
  }

  function bringLaneIntoView(lane) {
    if (leftLabels(lane)) return; // it is always there
    const width = scroll.clientWidth;
    const to = x[lane] + (PAD + widths[lane] + 0.5) * rem;
    // The arrows that come to it are of interest as well, if there is room.
    const before = Math.max(BEFORE * rem, Math.min(5 * rem, width - edge() - (to - x[lane])));
    const from = x[lane] - before;
    if (from - scroll.scrollLeft < edge()) scroll.scrollLeft = from - edge();
    else if (to - scroll.scrollLeft > width) scroll.scrollLeft = Math.min(to - width, from - edge());
  }

  function toError(by) {
    const list = errors.filter((row) => shown[laneOf(row)]);
    const next = by > 0 ? list.find((row) => row > step) : list.findLast((row) => row < step);
    if (next !== undefined) return go(next);
    find("said").textContent = say(list.length ? (by > 0 ? "no-error-after" : "no-error-before") : "no-errors");
  }

  function pause() {
    clearTimeout(timer);
    timer = 0;
    find("play").textContent = say("play");
  }

  function play() {
    if (timer) return pause();
    find("play").textContent = say("pause");
    if (beside(step, 1) === NONE) go(NONE);
    const tick = () => {
      forward();
      if (timer) timer = setTimeout(tick, wait());
    };
    timer = setTimeout(tick, 0);
  }

  // Until the next step, in milliseconds. As it was, or slower; but at most 4 s.
  function wait() {
    const speed = find("speed").value;
    if (!speed.startsWith("x")) return 1000 / Number(speed);
    const next = beside(step, 1);
    if (next === NONE) return 0;
    return Math.min(((timeOf(next) - timeOf(step)) / 1e6) * Number(speed.slice(1)), 4000);
  }

  // ---- the view ----

  // Changes what makes the layout, and keeps the step where it stands on the screen.
  function relayout(change = () => {}) {
    const anchor = step !== NONE ? step : place(rows.length, (row) => y[row], scroll.scrollTop * faster() + HEAD * rem);
    const before = anchor < rows.length ? y[anchor] - scroll.scrollTop * faster() : 0;
    change();
    layout();
    if (anchor < rows.length && scroll.scrollTop > 0) scroll.scrollTop = (y[anchor] - before) / faster();
    if (step !== NONE && shown[laneOf(step)]) bringIntoView();
    stay();
    redraw();
  }

  let stay = () => {}; // what a page that grows does to keep the newest row in view

  const setScale = (on) =>
    relayout(() => {
      toScale = on;
      find("scale").setAttribute("aria-pressed", String(on));
    });

  const setText = (size) =>
    relayout(() => {
      rem = Math.min(Math.max(size, 12), 40);
      document.documentElement.style.fontSize = `${rem}px`;
      find("large").setAttribute("aria-pressed", String(rem >= LARGE));
    });
  const toLarge = () => setText(rem >= LARGE ? 16 : LARGE);

  function showLanes() {
    relayout(() => find("lanes").querySelectorAll("input").forEach((box) => (shown[box.dataset.lane] = box.checked)));
    if (step !== NONE && !shown[laneOf(step)]) {
      const near = beside(step, -1);
      go(near === NONE ? firstStep() : near);
    } else tell();
  }

  function laneMenu() {
    const menu = find("lanes").querySelector("div");
    menu.replaceChildren();
    for (const [text, on] of [[say("all"), true], [say("none"), false]]) {
      const button = make("button", "", text);
      button.type = "button";
      button.addEventListener("click", () => {
        menu.querySelectorAll("input").forEach((box) => (box.checked = on));
        showLanes();
      });
      menu.append(button);
    }
    placed.forEach((i) => {
      const lane = lanes[i];
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = shown[i];
      box.dataset.lane = i;
      box.addEventListener("change", showLanes);
      const line = make("label");
      line.append(box, ` ${lane.name} `, make("small", "", lane.detail));
      menu.append(line);
    });
  }

  // ---- the keys ----

  const help = find("keys");
  const KEYS = {
    ArrowRight: forward, j: forward, ArrowLeft: backward, k: backward,
    Home: () => go(firstStep()), End: () => go(lastStep()),
    " ": play, e: () => toError(1), E: () => toError(-1), t: () => setScale(!toScale), l: toLarge,
    "+": () => setText(rem + 2), "=": () => setText(rem + 2), "-": () => setText(rem - 2),
    Escape: () => go(NONE), "?": () => help.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || help.open || !Object.hasOwn(KEYS, event.key)) return;
    const focused = event.target.tagName;
    if (focused === "SELECT" || (event.key === " " && /^(BUTTON|INPUT|SUMMARY|A)$/.test(focused))) return;
    if (event.key === "Escape" && find("lanes").open) {
      find("lanes").open = false;
      find("lanes").querySelector("summary").focus();
      return;
    }
    event.preventDefault();
    if (event.key !== " " && timer) pause();
    KEYS[event.key]();
  });
  const click = (id, act) => find(id).addEventListener("click", act);
  click("next", () => (pause(), forward()));
  click("back", () => (pause(), backward()));
  click("play", play);
  click("error", () => (pause(), toError(1)));
  click("scale", () => setScale(!toScale));
  click("large", toLarge);
  click("leftward", () => sideways(-1));
  click("rightward", () => sideways(1));
  click("smaller", () => setText(rem - 2));
  click("larger", () => setText(rem + 2));
  click("help", () => help.showModal());
  document.addEventListener("click", (event) => {
    if (!find("lanes").contains(event.target)) find("lanes").open = false;
  });

  const rowAt = (event) => {
    const element = event.target.closest(".call");
    return element ? Number(element.dataset.key) : NONE;
  };
  const peek = (row) => {
    if (row === peeked) return;
    peeked = row;
    explain();
  };
  const board = find("calls");
  board.addEventListener("click", (event) => rowAt(event) !== NONE && (pause(), go(rowAt(event))));
  board.addEventListener("pointerover", (event) => peek(rowAt(event)));
  board.addEventListener("pointerleave", () => peek(NONE));
  board.addEventListener("focusin", (event) => peek(rowAt(event)));
  board.addEventListener("focusout", () => peek(NONE));

  scroll.addEventListener("scroll", redraw, { passive: true });
  new ResizeObserver(() => relayout()).observe(scroll);
  // Of another screen, or of a zoom, only the dots may change.
  const watch = () => {
    const same = matchMedia(`(resolution: ${window.devicePixelRatio || 1}dppx)`);
    same.addEventListener("change", () => (relayout(), watch()), { once: true });
  };
  watch();
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(query).addEventListener("change", redraw);
  }

  find("tools").hidden = false;
  document.querySelector("main").hidden = false;
  find("scale").setAttribute("aria-pressed", String(toScale));
  laneMenu();
  layout();
  for (const named of document.querySelectorAll("#preface [data-call]")) {
    const button = make("button", "", named.textContent);
    button.type = "button";
    button.addEventListener("click", () => (pause(), go(returned[named.dataset.call])));
    named.replaceChildren(button);
  }
  go(trace.marks.length > 0 ? returned[trace.marks[0]] : NONE);

  // ---- live ----
})();
