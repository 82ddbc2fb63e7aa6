// What the page does: it keeps one step, and shows what is in view of it.
//
//   the trace    what happened, as columns of numbers; a row is a moment, and a step
//   the layout   where each row and each lane stands, in pixels of the whole picture
//   the picture  of all that only what is in view: lines on a canvas, text as elements
//   the panel    one call in words
//   the keys     what moves the step
//
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

  const trace = JSON.parse(find("trace").textContent);
  const { lanes, words, calls, rows } = trace;
  const NONE = -1;
  const word = (column, call) => words[calls[column][call]];
  const laneOf = (row) => calls.lane[rows[row]];

  // A call of two rows began in the first and returned in the second.
  const began = new Int32Array(calls.lane.length).fill(NONE);
  const returned = new Int32Array(calls.lane.length).fill(NONE);
  const rowsOf = lanes.map(() => []);
  rows.forEach((call, row) => {
    if (began[call] === NONE) began[call] = row;
    returned[call] = row;
    rowsOf[calls.lane[call]].push(row);
  });
  const barsOf = lanes.map(() => []);
  began.forEach((row, call) => {
    if (row !== returned[call]) barsOf[calls.lane[call]].push(call);
  });
  barsOf.forEach((bars) => bars.sort((a, b) => began[a] - began[b]));
  const begins = (row) => began[rows[row]] === row && returned[rows[row]] !== row;
  const ends = (row) => returned[rows[row]] === row && began[rows[row]] !== row;
  const timeOf = (row) => calls.from[rows[row]] + (ends(row) ? calls.took[rows[row]] : 0);
  const errors = calls.failed.flatMap((failed, call) => (failed ? [returned[call]] : [])).sort((a, b) => a - b);

  const arrows = trace.arrows.map(([kind, [fromLane, fromCall, toLane, toCall], bytes]) => {
    const start = fromCall === NONE ? NONE : began[fromCall];
    const end = toCall === NONE ? NONE : kind === "fork" ? began[toCall] : returned[toCall];
    const from = start === NONE ? end : start;
    const to = end === NONE ? start : end;
    return { kind, fromLane, fromCall, toLane, toCall, bytes, from, to };
  });
  const causes = new Map();
  const effects = new Map();
  const add = (map, key, value) => map.get(key)?.push(value) ?? map.set(key, [value]);
  arrows.forEach((arrow) => {
    if (arrow.toCall !== NONE) add(causes, arrow.toCall, arrow);
    if (arrow.fromCall !== NONE) add(effects, arrow.fromCall, arrow);
  });

  // Which arrows cross some rows: an arrow over up to 2^n rows is in shelf n, in the box of 2^n rows in
  // which it starts. So whoever crosses a row is in its box, or in the one before.
  const shelves = [];
  arrows.forEach((arrow) => {
    const first = Math.min(arrow.from, arrow.to);
    const n = 32 - Math.clz32(Math.abs(arrow.to - arrow.from));
    add((shelves[n] ??= new Map()), first >> n, arrow);
  });
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

  const grouped = (n) => n.toLocaleString("en-US");
  const span = (ns) => {
    const three = (n) => n.toFixed(n < 9.995 ? 2 : n < 99.95 ? 1 : 0);
    if (ns < 1e3) return `${ns} ns`;
    if (ns < 999_500) return `${three(ns / 1e3)} µs`;
    if (ns < 999_500_000) return `${three(ns / 1e6)} ms`;
    return ns < 1e11 ? `${(ns / 1e9).toFixed(3)} s` : `${grouped(Math.round(ns / 1e9))} s`;
  };
  const clock = (ns) => (Math.floor(ns / 1e3) / 1e6).toFixed(6);
  const bytesText = (n) => (n === 1 ? "1 byte" : `${grouped(n)} bytes`);
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
    return [asked, answer(call) || (ends(row) ? "returned" : "")];
  };
  const headline = (call) => word("asked", call) + (answer(call) && ` → ${answer(call)}`);
  const asSentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
  const inWords = (row) => {
    const call = rows[row];
    if (isNote(call)) return asSentence(word("sentence", call));
    if (begins(row)) return `${word("asked", call)} is called. It will return after ${span(calls.took[call])}.`;
    return `${word("name", call)}: ${asSentence(word("sentence", call))}`;
  };

  // ---- the state ----

  let step = NONE; // NONE: no step is taken, the whole is shown
  let peeked = NONE; // the row under the pointer, or with the focus
  let toScale = trace.to_scale;
  let rem = 16;
  let dots = 1; // of the screen, in a pixel of the page
  let timer = 0;
  const shown = lanes.map(() => true);

  // ---- the layout ----

  const [scroll, world, view, ink, panel] = ["scroll", "world", "view", "ink", "panel"].map(find);
  const pen = ink.getContext("2d");
  const HEAD = 3; // in rem, as all sizes below: the height of the lanes' names
  const LINE = 1.2; // of a label
  const THIN = 0.1; // a lifeline
  const ROW = 2;
  const GUTTER = 6.4; // the times
  const PAD = 0.9; // between a lifeline and its labels

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
    const text = `${failed ? "✗ " : ""}${asked}${asked && answered ? " " : ""}${answered && `→ ${answered}`}`;
    return { text, state, failed };
  };
  const labelWidth = ({ text, state }) => widthOf(text, true) + (state ? widthOf(state) + 0.9 : 0);
  const widest = lanes.map((lane, i) => {
    const heads = Math.max(widthOf(lane.name, true), widthOf(lane.detail));
    return Math.max(heads, rowsOf[i].reduce((wide, row) => Math.max(wide, labelWidth(pieces(row))), 0)) + 0.6;
  });

  // The words of a label, line by line, where they have this room.
  function wrap(row, room) {
    const { text, state, failed } = pieces(row);
    const space = letters[1][32];
    const list = [""];
    let used = 0;
    for (const part of text.split(" ")) {
      const wide = widthOf(part, true);
      if (list.at(-1) && used + space + wide > room) {
        list.push("");
        used = 0;
      }
      used += wide + (list.at(-1) ? space : 0);
      list[list.length - 1] += (list.at(-1) ? " " : "") + part;
    }
    const box = state ? widthOf(state) + 0.9 : 0;
    if (box && used + box > room) list.push("");
    return { list, state, failed };
  }
  const linesOf = (row, room) => (labelWidth(pieces(row)) <= room ? 1 : wrap(row, room).list.length);

  let widths = []; // of each lane's labels, in rem
  let y = new Float64Array(rows.length); // of each row
  let x = []; // of each lane; undefined if it is hidden
  let order = []; // the lanes that are shown
  let tops = []; // for each lane, of the label of each of its rows
  let breaks = new Map(); // the rows before which time is left out, and how much
  let size = { width: 0, height: 0 };

  function layout() {
    // A media query would not know the size of the text.
    document.querySelector("main").classList.toggle("narrow", window.innerWidth < 60 * rem);
    dots = window.devicePixelRatio || 1;
    order = lanes.map((_, i) => i).filter((i) => shown[i]);
    columns();
    const heights = toScale ? trace.scale : trace.even;
    const tall = lanes.map((_, i) => (shown[i] ? Uint8Array.from(rowsOf[i], (row) => linesOf(row, widths[i] - 0.5)) : []));
    const most = tall.reduce((most, lines) => lines.reduce((a, b) => Math.max(a, b), most), 1);
    // Rows are even, and so high that the label with the most lines has room.
    const unit = rem * (toScale ? ROW : Math.max(ROW, Math.min(most, 3) * LINE + 0.1));
    breaks = new Map(heights.breaks);
    let at = HEAD * rem;
    for (let row = 0; row < rows.length; row++) {
      // Rows of even height close up where a lane is hidden; to scale, time stays as it is.
      const counts = toScale || shown[laneOf(row)] || breaks.has(row);
      at += counts ? (heights.down[row] * unit) / 100 : 0;
      y[row] = at;
    }
    const sides = sidesOfLabels();
    let bottom = at;
    tops = lanes.map((_, i) => {
      if (!shown[i]) return [];
      let free = 0;
      const above = new Float64Array(rowsOf[i].length);
      rowsOf[i].forEach((row, n) => {
        // Where rows are too close for their labels, a label stands lower, and a line leads to it.
        const high = tall[i][n] * LINE * rem;
        above[n] = Math.max(y[row] + (sides[row] - 1) * 0.5 * high, free);
        free = above[n] + high;
      });
      bottom = Math.max(bottom, free);
      return above;
    });
    size.height = bottom + ROW * rem;
    // No browser scrolls more than some 16 million pixels.
    world.style.height = `${Math.min(size.height, 15e6)}px`;
    world.style.width = `${size.width}px`;
  }

  // The first lane has its labels to the left, the others to the right; so between the first two there is
  // nothing but arrows.
  function columns() {
    const gap = (n) => (n === 1 ? 8 : 5);
    let room = scroll.clientWidth / rem - GUTTER - 1;
    order.forEach((_, n) => (room -= PAD + (n > 0 ? gap(n) : 0)));
    // Whoever needs less than a fair share leaves the rest to the others.
    widths = [];
    const byNeed = order.toSorted((a, b) => widest[a] - widest[b]);
    byNeed.forEach((lane, n) => {
      const share = room / (byNeed.length - n);
      widths[lane] = Math.min(widest[lane], share < 12 ? 16 : share);
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
  function sidesOfLabels() {
    const sides = new Int8Array(rows.length);
    const rank = new Map(order.map((lane, n) => [lane, n]));
    for (const { fromLane, toLane, fromCall, toCall, from, to } of arrows) {
      const [a, b] = [rank.get(fromLane), rank.get(toLane)];
      if (a === undefined || b === undefined || a === b) continue;
      if (fromCall !== NONE && a > 0 && b > a && sides[from] === 0) sides[from] = -1;
      if (toCall !== NONE && b > 0 && a > b) sides[to] = 1;
    }
    return sides;
  }

  const leftLabels = (lane) => lane === order[0];

  // ---- the picture ----

  // Keeps the children of an element: those in `wanted` (key → what brings it up to date), and the one
  // that has the focus.
  function keeper(container, create) {
    const kept = new Map();
    return (wanted) => {
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
    const state = word("state", call) && `, TCP is now ${word("state", call)}`;
    const what = begins(row) ? `${word("asked", call)} begins` : headline(call) + state;
    element.setAttribute("aria-label", `Step ${row + 1}, ${lane.name}: ${what}`);
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
      const [from, to] = leftLabels(i) ? [x[i] - (PAD + widths[i]) * rem, x[i]] : [x[i], x[i] + (PAD + widths[i]) * rem];
      return to - left > -6 * rem && from - left < width + 6 * rem;
    });
    const first = place(rows.length, (row) => y[row], top);
    const last = place(rows.length, (row) => y[row], top + height + 1) - 1;
    const frame = { width, height, left, top, inSight, first, last };
    lines(frame);
    labels(frame);
    times(frame);
    const heads = new Map();
    for (const i of inSight) {
      heads.set(i, (element) => {
        element.classList.toggle("left", leftLabels(i));
        element.style.width = `${(widths[i] + PAD) * rem}px`;
        put(element, x[i] - left + (leftLabels(i) ? 0.4 : -0.4) * rem, 0, leftLabels(i));
      });
    }
    keepHeads(heads);
  }

  function labels({ left, top, height, inSight }) {
    const [wanted, waits] = [new Map(), new Map()];
    for (const i of inSight) {
      const wide = widths[i] * rem;
      for (let n = place(tops[i].length, (n) => tops[i][n], top + (HEAD - 3 * LINE) * rem); n < tops[i].length && tops[i][n] < top + height; n++) {
        const row = rowsOf[i][n];
        wanted.set(row, (element) => {
          dress(element, row);
          element.classList.toggle("left", leftLabels(i));
          element.classList.toggle("now", row === step);
          element.classList.toggle("later", step !== NONE && row > step);
          if (row === step) element.setAttribute("aria-current", "step");
          else element.removeAttribute("aria-current");
          element.style.maxWidth = `${wide}px`;
          put(element, x[i] - left + (leftLabels(i) ? -PAD : PAD) * rem, tops[i][n] - top, leftLabels(i));
        });
      }
      for (const call of barsInSight(i, top + HEAD * rem, top + height)) {
        const from = Math.max(y[began[call]], top + HEAD * rem);
        const to = Math.min(y[returned[call]], top + height);
        if (to - from < LINE * rem) continue;
        waits.set(-call - 1, (element) => {
          put(element, x[i] - left + (leftLabels(i) ? 0.6 : -0.6) * rem, (from + to - LINE * rem) / 2 - top, !leftLabels(i));
        });
      }
    }
    keepCalls(wanted);
    keepWaits(waits);
  }

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
      if (breaks.has(row)) {
        stand(cut(row), `≈ ${span(breaks.get(row))}`, "break");
        free = cut(row) + LINE * rem;
      }
      if (!shown[laneOf(row)] || y[row] < free) continue;
      stand(y[row], clock(timeOf(row)));
      free = y[row] + LINE * rem;
    }
    list.push(make("div", "title", "time, s"));
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
    for (const i of inSight) {
      pen.strokeStyle = lanes[i].traced ? color("line") : roleOf(i);
      pen.lineWidth = thin;
      pen.setLineDash(lanes[i].traced ? [rem / 10, rem / 4] : [rem / 2, rem / 2]);
      stroke([x[i] - left, HEAD * rem], [x[i] - left, height]);
      if (!lanes[i].traced) continue;
      // From its first record to its last a lane is known to live; before and after, nothing is known.
      const [born, gone] = [rowsOf[i][0], rowsOf[i].at(-1)].map((row) => whole(Math.min(Math.max(y[row] - top, 0), height)));
      pen.strokeStyle = roleOf(i);
      pen.setLineDash([]);
      stroke([x[i] - left, born], [x[i] - left, gone]);
    }
    pen.setLineDash([]);
    for (const i of inSight) {
      pen.fillStyle = color("wait");
      for (const call of barsInSight(i, top, top + height)) {
        const [from, to] = [Math.max(y[began[call]] - top, 0), Math.min(y[returned[call]] - top, height)].map(whole);
        const now = step === NONE || returned[call] <= step ? to : Math.min(to, Math.max(from, began[call] > step ? from : whole(y[step] - top)));
        pen.globalAlpha = 1;
        pen.fillRect(x[i] - left - wide / 2, from, wide, now - from);
        pen.globalAlpha = faint;
        pen.fillRect(x[i] - left - wide / 2, now, wide, to - now);
      }
    }
    pen.globalAlpha = 1;
    for (let row = Math.max(first - 1, 1); row <= Math.min(last + 1, rows.length - 1); row++) {
      if (breaks.has(row)) wave(cut(row) - top, width, color);
    }
    for (const arrow of crossing(Math.max(first, 0), Math.max(last, first))) {
      pen.globalAlpha = isLater(arrow.to) ? faint : 1;
      const of = { reset: color("error"), fork: color("dim") }[arrow.kind];
      drawArrow(arrow, left, top, of ?? roleOf(arrow.fromLane === NONE ? arrow.toLane : arrow.fromLane));
    }
    for (let row = first; row <= last; row++) {
      const lane = laneOf(row);
      if (!shown[lane]) continue;
      const failed = calls.failed[rows[row]] && !begins(row);
      pen.globalAlpha = isLater(row) ? faint : 1;
      pen.fillStyle = failed ? color("error") : roleOf(lane);
      pen.beginPath();
      pen.arc(x[lane] - left, y[row] - top, (row === step ? 0.45 : 0.26) * rem, 0, 2 * Math.PI);
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
        stroke([x[i] - left, y[row] - top], [x[i] - left + side * PAD * rem, middle - top]);
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
    const here = (lane, row) => [x[lane] - left, y[row] - top];
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
    const text = make("p", "sentence", rows.length ? "Press → for the first step, or space to play." : "There are no calls.");
    const about = [
      ["Lanes", `${seen} with a trace${seen < lanes.length ? `, ${lanes.length - seen} without` : ""}`],
      ["Calls", grouped(calls.times.reduce((all, times) => all + times, 0))],
      ["Errors", grouped(errors.length)],
      ["From the first to the last", span(trace.span)],
    ];
    return [make("h2", "", "The whole"), text, facts(about)];
  }

  function explanation(row) {
    const call = rows[row];
    const [name, failed] = [word("name", call), calls.failed[call] && !begins(row)];
    const head = `${lanes[calls.lane[call]].name} · step ${grouped(row + 1)} of ${grouped(rows.length)} · at ${clock(timeOf(row))} s`;
    const text = make("p", failed ? "sentence failed" : "sentence", inWords(row));
    const about = [];
    if (!isNote(call)) {
      about.push(["As strace prints it", make("code", "", word("strace", call))]);
      if (word("errno", call)) about.push([failed ? "Error" : "Answer", word("errno", call)]);
      if (calls.times[call] > 1) about.push(["Times", `${grouped(calls.times[call])} equal calls, drawn as one`]);
      if (calls.bytes[call] > 0) {
        const data = word("data", call);
        const more = calls.bytes[call] > 64 ? "…" : "";
        about.push(["Bytes", bytesText(calls.bytes[call]), ...(data ? [": ", make("code", "", `"${data}"${more}`)] : [])]);
      }
      about.push(["Took", span(calls.took[call])]);
    }
    if (word("state", call) && !begins(row)) about.push(["TCP is now", word("state", call)]);
    const linked = [...(begins(row) ? [] : linksOf(causes, call, true)), ...linksOf(effects, call, false)];
    if (/^[a-z0-9_]+$/.test(name)) {
      const page = make("a", "", `${name}(2)`);
      page.href = `https://man7.org/linux/man-pages/man2/${name}.2.html`;
      page.target = "_blank";
      page.rel = "noopener noreferrer";
      about.push(["Manual page", page]);
    }
    return [make("h2", "", head), text, ...linked, facts(about)];
  }

  // What came to a call, or went from it: a button that goes to the other end.
  function linksOf(map, call, incoming) {
    const SHOWN = 12;
    const all = map.get(call) ?? [];
    const list = all.slice(0, SHOWN).map((arrow) => {
      const [lane, other] = incoming ? [arrow.fromLane, arrow.fromCall] : [arrow.toLane, arrow.toCall];
      const what = { connect: "the connection", bytes: bytesText(arrow.bytes), datagram: `a datagram of ${bytesText(Math.max(arrow.bytes, 0))}`, end: "the end of the stream", reset: "the reset", fork: "the process" }[arrow.kind];
      const way = incoming ? "from" : "to";
      if (lane === NONE) {
        const lost = { datagram: "it was not seen to arrive", bytes: "nobody was seen to read them" }[arrow.kind];
        return make("p", "", `${what}: ${incoming ? "nobody was seen to send it" : lost ?? "nobody was seen to take it"}`);
      }
      if (other === NONE) return make("p", "", `${what} ${way} ${lanes[lane].name}: there is no trace of that side`);
      const row = arrow.kind === "fork" || !incoming ? (incoming ? began[other] : arrow.to) : arrow.from;
      const button = make("button", "", `${incoming ? "←" : "→"} ${what} ${way} ${lanes[lane].name}, ${word("asked", other)}`);
      button.type = "button";
      button.addEventListener("click", () => go(row));
      return button;
    });
    if (all.length > SHOWN) list.push(make("p", "", `and ${grouped(all.length - SHOWN)} more`));
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
    const where = step === NONE ? "The whole picture" : `Step ${step + 1} of ${rows.length}, ${lanes[laneOf(step)].name}: ${inWords(step)}`;
    find("said").textContent = where;
    find("back").disabled = step === NONE;
    find("next").disabled = beside(step, 1) === NONE;
    find("error").disabled = errors.length === 0;
  }

  function bringIntoView() {
    const [height, width] = [scroll.clientHeight, scroll.clientWidth];
    const at = y[step] - scroll.scrollTop * faster();
    if (at < (HEAD + 2) * rem || at > height * 0.8) {
      scroll.scrollTop = (y[step] - Math.max(height * 0.4, (HEAD + 2) * rem)) / faster();
    }
    const lane = laneOf(step);
    const wide = (PAD + widths[lane] + 1) * rem;
    const [from, to] = leftLabels(lane) ? [x[lane] - wide, x[lane] + rem] : [x[lane] - 5 * rem, x[lane] + wide];
    if (from - scroll.scrollLeft < GUTTER * rem) scroll.scrollLeft = from - GUTTER * rem;
    else if (to - scroll.scrollLeft > width) scroll.scrollLeft = Math.min(to - width, from - GUTTER * rem);
  }

  function toError(by) {
    const list = errors.filter((row) => shown[laneOf(row)]);
    const next = by > 0 ? list.find((row) => row > step) : list.findLast((row) => row < step);
    if (next !== undefined) return go(next);
    find("said").textContent = list.length ? `No error ${by > 0 ? "after" : "before"} this step` : "There are no errors";
  }

  function pause() {
    clearTimeout(timer);
    timer = 0;
    find("play").textContent = "Play";
  }

  function play() {
    if (timer) return pause();
    find("play").textContent = "Pause";
    if (beside(step, 1) === NONE) go(NONE);
    const tick = () => {
      forward();
      if (find("play").textContent === "Pause") timer = setTimeout(tick, wait());
    };
    timer = setTimeout(tick, 0);
  }

  // Until the next step, in milliseconds. As it was, or slower; but nobody waits longer than 4 s.
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
    redraw();
  }

  const setScale = (on) =>
    relayout(() => {
      toScale = on;
      find("scale").setAttribute("aria-pressed", String(on));
    });

  const setText = (size) =>
    relayout(() => {
      rem = Math.min(Math.max(size, 12), 28);
      document.documentElement.style.fontSize = `${rem}px`;
    });

  function showLanes() {
    relayout(() => find("lanes").querySelectorAll("input").forEach((box, i) => (shown[i] = box.checked)));
    if (step !== NONE && !shown[laneOf(step)]) {
      const near = beside(step, -1);
      go(near === NONE ? firstStep() : near);
    } else tell();
  }

  function laneMenu() {
    const menu = find("lanes").querySelector("div");
    for (const [text, on] of [["All", true], ["None", false]]) {
      const button = make("button", "", text);
      button.type = "button";
      button.addEventListener("click", () => {
        menu.querySelectorAll("input").forEach((box) => (box.checked = on));
        showLanes();
      });
      menu.append(button);
    }
    lanes.forEach((lane) => {
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = true;
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
    " ": play, e: () => toError(1), E: () => toError(-1), t: () => setScale(!toScale),
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
  tell();
  explain();
  redraw();
})();
