//! The words of the page to step through, in both languages: each once, with `{name}` where a value comes in.
//!
//! [`of_page`] fills the marks `{{say KEY}}` of page.html. [`of_script`] goes into the page as JSON: page.js asks for a
//! word by its key, so it holds none of its own.

use std::collections::BTreeMap;

use netplay_text::lang::Lang;

/// A key, and what stands for it in English and in Chinese.
type Word = (&'static str, &'static str, &'static str);

/// What stands in page.html.
const PAGE: &[Word] = &[
    ("tools", "Steps and view", "步骤与显示"),
    ("back", "Back", "上一步"),
    ("back-title", "One step back (← or k)", "后退一步（← 或 k）"),
    ("next", "Next", "下一步"),
    ("next-title", "One step forward (→ or j)", "前进一步（→ 或 j）"),
    ("play", "Play", "播放"),
    ("play-title", "Step by itself (space)", "自动逐步播放（空格）"),
    ("speed", "Speed", "速度"),
    ("speed-half", "a step in 2 s", "每 2 秒一步"),
    ("speed-1", "1 step/s", "每秒 1 步"),
    ("speed-2", "2 steps/s", "每秒 2 步"),
    ("speed-5", "5 steps/s", "每秒 5 步"),
    ("speed-20", "20 steps/s", "每秒 20 步"),
    ("speed-x1", "as it was", "与实际同速"),
    ("speed-x10", "10 times slower", "慢 10 倍"),
    ("speed-x100", "100 times slower", "慢 100 倍"),
    ("error", "Next error", "下一个错误"),
    ("error-title", "The next error (e); the one before (E)", "下一个错误（e）；上一个错误（E）"),
    ("scale", "True time", "真实时间"),
    (
        "scale-title",
        "Heights to scale, instead of rows of even height (t)",
        "高度按时间比例，而不是各行等高（t）",
    ),
    ("lanes", "Lanes", "泳道"),
    ("lanes-title", "Which lanes are shown", "显示哪些泳道"),
    ("lanes-group", "Lanes that are shown", "已显示的泳道"),
    ("large", "Large type", "大字"),
    ("large-title", "Type for the back of a room (l)", "让教室后排也能看清的大字（l）"),
    ("smaller", "Smaller text", "缩小文字"),
    ("larger", "Larger text", "放大文字"),
    ("keys", "Keys", "按键"),
    ("keys-title", "The keys (?)", "按键说明（?）"),
    (
        "timeline",
        "Timeline: time goes downwards, a line for each thread",
        "时间线：时间自上而下，每个线程一条线",
    ),
    ("panel", "The call", "这个调用"),
    ("or", "or", "或"),
    ("space", "space", "空格"),
    ("key-next", "one step forward", "前进一步"),
    ("key-back", "one step back", "后退一步"),
    ("key-ends", "the first step, the last step", "第一步，最后一步"),
    ("key-play", "play, pause", "播放，暂停"),
    ("key-error", "the next error, the one before", "下一个错误，上一个错误"),
    ("key-scale", "heights even, or true to scale", "各行等高，或按时间比例"),
    ("key-large", "large type, for a projector", "大字，用于投影"),
    ("key-size", "size of the text", "文字大小"),
    ("key-tab", "from call to call", "在调用之间移动"),
    ("key-enter", "makes it the step", "把它作为当前步骤"),
    ("key-escape", "no step: the whole picture", "不选步骤：显示全图"),
    ("key-help", "these keys", "这些按键"),
    (
        "legend",
        "A filled bar is a call that has not returned yet. An arrow leads from the call that caused something to the \
         call that noticed it. An arrow that ends in a cross was sent and not seen to arrive. A broken line is a side \
         without a trace: nothing is known of it.",
        "实心条是尚未返回的调用。箭头从引起某事的调用指向察觉到它的调用。末端是叉的箭头：已经发出，但没有看到到达。\
         虚线是没有记录的一侧：对它一无所知。",
    ),
    ("close", "Close", "关闭"),
    // Of a page that grows.
    ("call", "Next call", "下一个调用"),
    ("call-title", "Let the program make this call (Enter)", "让程序执行这个调用（Enter）"),
    ("run", "Go on without stops", "不再停下"),
    (
        "run-title",
        "Let all programs run on, without a stop before each call",
        "让所有程序继续运行，调用之前不再停下",
    ),
    ("newest", "Newest call", "最新的调用"),
    (
        "newest-title",
        "To the newest call, and follow what comes (n)",
        "到最新的调用，并跟随后续（n）",
    ),
    ("board", "The programs now", "程序现在的状态"),
    ("sockets", "Sockets", "套接字"),
    ("chart", "The states of TCP", "TCP 的状态"),
    (
        "needs-script",
        "This page needs its script: it shows the calls as they happen.",
        "这一页要用脚本才能随时显示各个调用。",
    ),
];

/// What page.js says.
const SCRIPT: &[Word] = &[
    ("byte", "1 byte", "1 字节"),
    ("bytes", "{n} bytes", "{n} 字节"),
    ("stop", ".", "。"),
    ("colon", ": ", "："),
    ("comma", ", ", "、"),
    ("space", " ", ""),
    ("returned", "returned", "返回"),
    ("whole", "The whole picture", "全图"),
    ("step", "Step {n} of {all}, {lane}: {words}", "第 {n} 步，共 {all} 步，{lane}：{words}"),
    ("label", "Step {n}, {lane}: {what}", "第 {n} 步，{lane}：{what}"),
    ("begins", "{call} begins", "{call} 开始"),
    ("label-state", "{what}, TCP is now {state}", "{what}，TCP 现在处于 {state}"),
    ("called", "{call} is called. It returns after {time}.", "调用 {call}，{time} 之后返回。"),
    ("time", "time, s", "时间，秒"),
    ("first", "Press → for the first step, or space to play.", "按 → 看第一步，按空格自动播放。"),
    ("no-calls", "There are no calls.", "没有任何调用。"),
    ("all-lanes", "The whole", "全图"),
    ("lanes", "Lanes", "泳道"),
    ("traced", "{n} with a trace", "{n} 条有记录"),
    ("untraced", "{n} with a trace, {m} without", "{n} 条有记录，{m} 条没有"),
    ("calls", "Calls", "调用"),
    ("errors", "Errors", "错误"),
    ("span", "From the first to the last", "从第一个到最后一个"),
    (
        "head",
        "{lane} · step {n} of {all} · at {time} s",
        "{lane} · 第 {n} 步，共 {all} 步 · {time} 秒",
    ),
    ("strace", "As strace prints it", "strace 的写法"),
    ("error", "Error", "错误"),
    ("answer", "Answer", "结果"),
    ("times", "Times", "次数"),
    ("equal", "{n} equal calls, drawn as one", "{n} 次相同的调用，画作一个"),
    ("data", "Bytes", "字节"),
    ("took", "Took", "用时"),
    ("state", "TCP is now", "TCP 现在处于"),
    ("manual", "Manual page", "手册页"),
    ("marked", "This is one of the calls that are meant above.", "这是上面所说的调用之一。"),
    // What an arrow brings.
    ("a-connect", "the connection", "连接"),
    ("a-datagram", "a datagram of {bytes}", "{bytes}的数据报"),
    ("a-end", "the end of the stream{fin}", "数据流的结束{fin}"),
    ("fin", " (FIN)", "（FIN）"),
    ("a-reset", "the reset (RST)", "复位 (RST)"),
    ("a-fork", "the process", "进程"),
    ("to", "→ {what} to {lane}, {call}", "→ {what}，到{lane}，{call}"),
    ("from", "← {what} from {lane}, {call}", "← {what}，来自{lane}，{call}"),
    (
        "to-untraced",
        "{what} to {lane}: there is no trace of that side",
        "{what}，到{lane}：那一侧没有记录",
    ),
    (
        "from-untraced",
        "{what} from {lane}: there is no trace of that side",
        "{what}，来自{lane}：那一侧没有记录",
    ),
    ("unsent", "{what}: no call was seen to send it", "{what}：没有看到发出它的调用"),
    ("unseen", "{what}: it was not seen to arrive", "{what}：没有看到它到达"),
    ("unread", "{what}: they were not seen to be read", "{what}：没有看到它们被读取"),
    ("more", "and {n} more", "还有 {n} 个"),
    // What a step changed.
    ("server", "server", "服务器"),
    ("the-server", "the server", "服务器"),
    ("out-connect", "It asks {lane} for a connection.", "它向{lane}请求建立连接。"),
    ("out-connected", "Now {lane} can accept it.", "现在{lane}可以 accept 它。"),
    ("out-bytes", "{bytes} are on the way to {lane}.", "{bytes}正在发往{lane}。"),
    ("out-byte", "{bytes} is on the way to {lane}.", "{bytes}正在发往{lane}。"),
    (
        "out-datagram",
        "A datagram of {bytes} is on the way to {lane}.",
        "{bytes}的数据报正在发往{lane}。",
    ),
    (
        "out-end",
        "The end of the stream{fin} is on the way to {lane}.",
        "数据流的结束{fin}正在发往{lane}。",
    ),
    ("out-reset", "A reset (RST) is on the way to {lane}.", "复位 (RST) 正在发往{lane}。"),
    ("out-fork", "{lane} starts, as a copy of this process.", "{lane}开始运行，它是本进程的副本。"),
    (
        "in-connect",
        "{lane} asked for this connection at step {n}.",
        "{lane}在第 {n} 步请求了这个连接。",
    ),
    ("in-bytes", "{lane} sent these {bytes} at step {n}.", "这 {bytes}是{lane}在第 {n} 步发送的。"),
    ("in-byte", "{lane} sent this byte at step {n}.", "这 1 字节是{lane}在第 {n} 步发送的。"),
    (
        "in-datagram",
        "{lane} sent this datagram at step {n}.",
        "这个数据报是{lane}在第 {n} 步发送的。",
    ),
    (
        "in-end",
        "{lane} ended its stream{fin} at step {n}: no more bytes will come from it.",
        "{lane}在第 {n} 步结束了它的数据流{fin}：不会再有字节到来。",
    ),
    (
        "in-reset",
        "{lane} reset the connection (RST) at step {n}.",
        "{lane}在第 {n} 步重置了连接 (RST)。",
    ),
    ("in-fork", "{lane} created this process at step {n}.", "{lane}在第 {n} 步创建了本进程。"),
    ("now-state", "TCP is now {state}.", "TCP 现在处于 {state}。"),
    ("waiting", "Waiting now: {who}.", "正在等待：{who}。"),
    ("waits-in", "{lane} in {call}", "{lane}（{call}）"),
    ("no-error-after", "No error after this step", "这一步之后没有错误"),
    ("no-error-before", "No error before this step", "这一步之前没有错误"),
    ("no-errors", "There are no errors", "没有错误"),
    ("play", "Play", "播放"),
    ("pause", "Pause", "暂停"),
    ("all", "All", "全部"),
    ("none", "None", "全不选"),
    ("beyond-left", "◂ {lanes}", "◂ {lanes}"),
    ("beyond-right", "▸ {lanes}", "▸ {lanes}"),
    ("beyond-left-title", "Not in view, to the left: {lanes}", "左侧未显示：{lanes}"),
    ("beyond-right-title", "Not in view, to the right: {lanes}", "右侧未显示：{lanes}"),
    // Of a page that grows.
    ("live-waiting", "Nothing has started yet.", "尚未启动。"),
    ("live-running", "Running: {n} calls.", "正在运行：{n} 个调用。"),
    ("live-held", "{lane} is about to call {call}", "{lane}即将调用 {call}"),
    (
        "live-ended",
        "The programs have ended: {n} calls. This page stays as it is.",
        "程序已结束：{n} 个调用。这一页会保持不变。",
    ),
    (
        "live-lost",
        "netplay does not answer any more: the page has what came until now, {n} calls.",
        "netplay 不再回应：这一页有到此为止的 {n} 个调用。",
    ),
    (
        "live-full",
        "The page has the first {n} of {all} records.",
        "这一页有 {all} 条记录中的前 {n} 条。",
    ),
    ("measured", "measured at {time} s", "测量于 {time} 秒"),
    ("no-sockets", "No program has a socket.", "没有程序拥有套接字。"),
    ("gone", "closed, and the kernel keeps it", "已关闭，内核还保留着"),
    ("queue-unread", "{bytes} not read", "{bytes}未读取"),
    ("queue-unsent", "{bytes} sent, not acknowledged", "{bytes}已发送，未确认"),
    ("queue-accept", "{n} of {all} wait for accept", "{n} 个等待 accept，上限 {all}"),
    (
        "queue-room",
        "the kernel uses {used} of {room} bytes, its own overhead included",
        "内核用了 {room} 字节中的 {used} 字节，包括自身的开销",
    ),
];

/// The word of page.html for this key.
pub(super) fn of_page(key: &str, lang: Lang) -> &'static str {
    let (_, en, zh) =
        PAGE.iter().find(|(name, ..)| *name == key).expect("page.html has these keys");
    lang.pick(en, zh)
}

/// The words of page.js, by their keys.
pub(super) fn of_script(lang: Lang) -> BTreeMap<&'static str, &'static str> {
    SCRIPT.iter().map(|&(key, en, zh)| (key, lang.pick(en, zh))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const HTML: &str = concat!(
        include_str!("page.html"),
        include_str!("live_state.html"),
        include_str!("live_sockets.html"),
        "{{say needs-script}}"
    );
    const JS: &str = concat!(include_str!("page.js"), include_str!("live.js"));

    /// What stands between these two, everywhere.
    fn between<'a>(text: &'a str, from: &str, to: char) -> BTreeSet<&'a str> {
        text.split(from).skip(1).filter_map(|rest| Some(rest.split_once(to)?.0)).collect()
    }

    #[test]
    fn every_word_is_in_both_languages_with_the_same_values() {
        for (key, en, zh) in PAGE.iter().chain(SCRIPT) {
            assert!(!en.is_empty() && (!zh.is_empty() || en.trim().is_empty()), "{key}");
            assert_eq!(between(en, "{", '}'), between(zh, "{", '}'), "{key}");
        }
    }

    #[test]
    fn every_word_is_used_and_no_other_is_asked_for() {
        let keys = |words: &[Word]| words.iter().map(|&(key, ..)| key).collect::<BTreeSet<_>>();
        assert_eq!(keys(PAGE), between(HTML, "{{say ", '}'));
        let (known, asked) = (keys(SCRIPT), between(JS, "say(\"", '"'));
        let unknown: Vec<_> = asked.difference(&known).collect();
        assert!(unknown.is_empty(), "page.js asks for {unknown:?}");
        for key in known.difference(&asked) {
            // A key may be one of several in a table, or made of a way and a kind: `${way}-${what}`, `a-${kind}`.
            let made = key.split_once('-').is_some_and(|(way, _)| {
                JS.contains(&format!("`{way}-${{"))
                    || ["in", "out"].contains(&way) && JS.contains("`${way}-${")
            });
            assert!(made || JS.contains(&format!("\"{key}\"")), "nothing says {key}");
        }
    }
}
