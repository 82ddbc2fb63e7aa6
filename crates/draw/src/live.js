
  // ---- live ----
  //
  // What is new comes as lists of which a beginning stays: {"calls": {"at": 12, …}} says what follows the first 12 calls.
  // Only what stands below the first row that is new is read, measured and laid out again.

  const stateLine = find("state");
  const source = new EventSource(`events?after=${trace.live}`);
  let dirty = Infinity; // the first row that has to be laid out
  let following = true; // whether the newest row is to be in view
  let report = null;
  let isOver = false;
  let failures = 0;

  const refill = (list, at, more) => {
    list.length = at;
    for (const one of more) list.push(one);
  };
  // A row may get another number: this finds it again.
  const moment = (row) => [laneOf(row), timeOf(row), begins(row)].join();

  function take(news) {
    const callsAt = news.calls?.at ?? calls.lane.length;
    const rowsAt = news.rows?.[0] ?? rows.length;
    const arrowsAt = news.arrows?.[0] ?? trace.arrows.length;
    const touched = callsAt < calls.lane.length ? rows.findIndex((call) => call >= callsAt) : NONE;
    const first = touched === NONE ? rowsAt : Math.min(rowsAt, touched);
    const atLast = step !== NONE && step === rows.length - 1;
    const at = step !== NONE && step >= first ? moment(step) : null;
    // What belongs to these rows goes.
    const firstArrow = Math.min(arrowsAt, place(reach.length, (nth) => reach[nth], first));
    let moved = first;
    while (arrows.length > firstArrow) {
      const arrow = arrows.pop();
      reach.pop();
      moved = Math.min(moved, arrow.from, arrow.to);
      if (arrow.toCall !== NONE) causes.get(arrow.toCall).pop();
      if (arrow.fromCall !== NONE) effects.get(arrow.fromCall).pop();
      const [shelf, box] = shelfOf(arrow);
      shelf.get(box).pop();
    }
    for (let row = first; row < rows.length; row++) {
      const call = rows[row];
      if (began[call] >= first) began[call] = NONE;
      returned[call] = began[call];
    }
    for (const list of [errors, ...rowsOf]) while (list.length > 0 && list.at(-1) >= first) list.pop();
    barsOf.forEach((bars, i) => (barsOf[i] = bars.filter((call) => returned[call] !== began[call])));
    // What is new comes.
    if (news.words) refill(words, ...news.words);
    if (news.calls) {
      for (const column of Object.keys(calls)) refill(calls[column], callsAt, news.calls[column]);
      began.length = returned.length = Math.min(began.length, callsAt);
    }
    if (news.rows) refill(rows, ...news.rows);
    if (news.arrows) refill(trace.arrows, ...news.arrows);
    if (news.lanes) takeLanes(news);
    Object.assign(trace, { even: news.even, scale: news.scale, span: news.span });
    readRows(first);
    readArrows(firstArrow);
    measure(first);
    arrows.slice(firstArrow).forEach(({ from, to }) => (moved = Math.min(moved, from, to)));
    keepCalls.forget((row) => row >= first);
    keepWaits.forget((key) => -key - 1 >= callsAt);
    keepWords.forget((nth) => nth >= firstArrow);
    if (at !== null) {
      step = rows.findIndex((_, row) => row >= first && moment(row) === at);
      if (step === NONE) step = Math.min(first, rows.length - 1);
    }
    if (atLast && following) step = rows.length - 1;
    peeked = Math.min(peeked, rows.length - 1);
    dirty = Math.min(dirty, moved);
    ask();
  }

  function takeLanes(news) {
    const before = lanes.length;
    refill(lanes, 0, news.lanes);
    refill(placed, 0, news.order);
    for (let i = before; i < lanes.length; i++) shown.push(true);
    find("left-out").textContent = news.left_out;
    keepHeads.forget();
    keepCalls.forget();
    laneMenu();
    dirty = 0;
  }

  let isAsked = false;
  function ask() {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      if (dirty !== Infinity) show();
    });
  }

  function show() {
    const follows = doesFollow();
    layout(dirty);
    dirty = Infinity;
    if (follows) toBottom();
    if (peeked === NONE && (step === NONE || follows)) (tell(), explain());
    find("next").disabled = beside(step, 1) === NONE;
    find("error").disabled = errors.length === 0;
    draw();
    tellState();
    // For those who measure: how far the picture goes.
    world.dataset.until = rows.length > 0 ? timeOf(rows.length - 1) : 0;
    world.dataset.rows = rows.length;
  }

  const doesFollow = () => following && (step === NONE || step === rows.length - 1);
  const sizes = () => `${scroll.clientHeight} of ${scroll.scrollHeight}`;
  let sizesThen = ""; // when it was last brought to the bottom
  function toBottom() {
    scroll.scrollTop = scroll.scrollHeight;
    sizesThen = sizes();
    followSideways();
  }
  stay = () => {
    if (doesFollow()) toBottom();
  };

  // Where not all lanes fit, goes to the lane of the newest label that cannot be seen, but only if no other label in view can:
  // lanes that take turns would make the picture jump. The first lane is always there.
  function followSideways() {
    const seen = (lane) => {
      const at = x[lane] - scroll.scrollLeft;
      return at >= edge() && at + (PAD + widths[lane]) * rem <= scroll.clientWidth;
    };
    const top = scroll.scrollTop * faster() + HEAD * rem;
    let newest = NONE;
    for (let row = rows.length - 1; row >= 0 && y[row] >= top; row--) {
      const lane = laneOf(row);
      if (!shown[lane] || leftLabels(lane)) continue;
      if (seen(lane)) return;
      if (newest === NONE) newest = lane;
    }
    if (newest !== NONE) bringLaneIntoView(newest);
  }

  const isAtBottom = () => scroll.scrollTop + scroll.clientHeight >= scroll.scrollHeight - 3 * rem;
  scroll.addEventListener("scroll", () => {
    // A window that gets another size also scrolls what is in it.
    if (doesFollow() && sizes() !== sizesThen) return stay();
    following = isAtBottom();
    find("newest").hidden = following;
  }, { passive: true });
  const toNewest = () => {
    following = true;
    if (step !== NONE) go(lastStep());
    toBottom();
  };
  KEYS.n = toNewest;
  click("newest", toNewest);

  // ---- the state of the programs ----

  const allCalls = () => calls.times.reduce((all, times) => all + times, 0);
  function tellState() {
    const held = isOver ? null : report?.held;
    const n = grouped(allCalls());
    const key = failures > MOST ? "live-lost" : isOver ? "live-ended" : held ? "live-held" : report?.started ? "live-running" : "live-waiting";
    stateLine.className = failures > MOST ? "lost" : isOver ? "over" : held ? "held" : "";
    const full = report?.left ? say("space") + say("live-full", { n: grouped(report.has), all: grouped(report.has + report.left) }) : "";
    const text = say(key, { n, lane: held?.lane, call: held?.call }) + full;
    if (stateLine.textContent !== text) stateLine.textContent = text;
    find("call").hidden = find("run").hidden = !held;
  }

  function takeBoard(next) {
    const isNew = next.held && next.held.n !== report?.held?.n;
    report = next;
    tellState();
    find("now").replaceChildren(...report.waits.map(({ lane, call }) => make("p", "wait", say("waits-in", { lane, call }))));
    if (!report.sockets) return;
    find("measured").textContent = report.at === null ? "" : say("measured", { time: clock(report.at) });
    const MANY = 60;
    const list = report.sockets.slice(0, MANY).map(socketBox);
    if (report.sockets.length > MANY) list.push(make("p", "", say("more", { n: grouped(report.sockets.length - MANY) })));
    if (list.length === 0) list.push(make("p", "", say("no-sockets")));
    find("sockets").replaceChildren(...list);
    const states = Object.groupBy(report.sockets.filter(({ kind }) => kind === "tcp"), ({ state }) => state);
    for (const box of document.querySelectorAll(".tcp")) {
      const name = box.id.slice(4);
      const count = states[name]?.length ?? 0;
      box.classList.toggle("lit", count > 0);
      box.querySelector("text").textContent = count > 1 ? `${name} × ${count}` : name;
    }
    if (isNew && document.activeElement === document.body) find("call").focus();
  }

  // A socket: whose it is, its state, its ends and its queues. A queue has a bar if the kernel says how much room it has.
  function socketBox(socket) {
    const box = make("div", socket.whose === null ? "socket gone" : "socket");
    const head = make("p");
    head.append(make("span", "whose", socket.whose === null ? say("gone") : socket.whose));
    head.append(make("span", "tag", socket.state ?? socket.kind));
    const ends = socket.peer ? `${socket.local} → ${socket.peer}` : socket.local;
    box.append(head, make("p", "where", `${socket.kind} ${ends}`));
    for (const { what, n, used, room } of socket.queues) {
      const line = make("p", "queue");
      const values = { n: grouped(n), all: grouped(room ?? 0), bytes: bytesText(n) };
      line.append(make("span", "", say(`queue-${what}`, values)));
      if (room) {
        const bar = document.createElement("meter");
        bar.max = room;
        bar.value = used;
        bar.title = say("queue-room", { used: grouped(used), room: grouped(room) });
        line.append(bar);
      }
      box.append(line);
    }
    return box;
  }

  const press = (what) => {
    if (!report?.held || isOver) return;
    const { n } = report.held;
    fetch(`${what}?n=${n}`).catch(() => {});
  };
  click("call", () => press("next"));
  click("run", () => press("on"));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.altKey || event.metaKey || help.open) return;
    if (/^(BUTTON|INPUT|SUMMARY|A|SELECT)$/.test(event.target.tagName)) return;
    event.preventDefault();
    press("next");
  });

  // A browser asks again by itself when a connection ends. After the last event it need not, and after some failures
  // nothing will answer.
  const MOST = 5;
  source.addEventListener("open", () => (failures = 0));
  source.addEventListener("message", (event) => take(JSON.parse(event.data)));
  source.addEventListener("board", (event) => takeBoard(JSON.parse(event.data)));
  source.addEventListener("ended", () => {
    isOver = true;
    source.close();
    tellState();
    find("now").replaceChildren();
  });
  source.addEventListener("error", () => {
    failures += source.readyState === EventSource.CLOSED ? MOST + 1 : 1;
    if (failures <= MOST) return;
    source.close();
    tellState();
  });
  tellState();
