//! What the shapes mean: those that occur.

use super::arrows::Pen;
use super::axis::torn;
use super::calls::{Mark, bar, draw_tag};
use super::figure::Figure;
use super::lanes::unseen;
use super::measures::{MARGIN, SMALL, columns};
use crate::ink::{DIM, PAPER, SERVER};
use crate::shapes::{Drawing, Fill, Path, circle, group, line, path, rect, text};
use crate::{ArrowKind, Call};
use netplay_record::Kind;
use netplay_text::columns::width as wide;

/// The room for a shape, and how wide it is itself.
const SHAPE: f64 = 46.0;
const WIDE: f64 = 36.0;

pub(super) struct Legend {
    drawing: Drawing<'static>,
    width: f64,
    x: f64,
    y: f64,
}

impl Legend {
    pub(super) fn drawing(&self) -> &Drawing<'static> {
        &self.drawing
    }

    pub(super) fn height(&self) -> f64 {
        self.y + 12.0
    }

    fn add(&mut self, words: &str, shape: impl FnOnce(&mut Drawing)) {
        let needed = SHAPE + columns(wide(words), SMALL);
        if self.x > 0.0 && self.x + needed > self.width {
            (self.x, self.y) = (0.0, self.y + 20.0);
        }
        self.drawing.group(group("").moved(self.x, self.y), |out| {
            shape(out);
            out.add(text(SHAPE, 3.5, words).class("small").size(SMALL));
        });
        self.x += needed + 22.0;
    }
}

impl Figure<'_> {
    pub(super) fn legend(&self) -> Legend {
        let (drawing, width) = (Drawing::default(), self.width - 2.0 * MARGIN);
        let mut legend = Legend { drawing, width, x: 0.0, y: 0.0 };
        self.explain_calls(&mut legend);
        self.explain_arrows(&mut legend);
        if self.timeline.lanes.iter().any(|lane| lane.thread.is_none()) {
            legend.add(
                self.view
                    .lang
                    .pick("not observed: no trace of this side", "未观察：这一侧没有记录"),
                |out| {
                    out.add(unseen(line((0.0, 0.0), (WIDE, 0.0)), SERVER));
                },
            );
        }
        if self.rows.unsure.contains(&true) {
            let words = self.view.lang.pick(
                "order unknown: closer than the clocks of the hosts are known",
                "先后未知：间隔小于主机时钟的误差",
            );
            legend.add(words, |out| out.add(text(0.0, 3.5, "?").size(SMALL)));
        }
        if !self.heights.breaks.is_empty() {
            legend.add(
                self.view.lang.pick(
                    "some time is left out: the number says how much",
                    "略去一段时间，长度如图中所写",
                ),
                |out| {
                    let strip =
                        torn(torn(Path::at((0.0, -1.0)), 3, 6.0).move_to((0.0, 5.0)), 3, 6.0);
                    out.add(path(&strip).fill(Fill::None).stroke(DIM, 1.0));
                },
            );
        }
        legend
    }

    fn explain_calls(&self, legend: &mut Legend) {
        let calls = &self.timeline.calls;
        let occurs = |what: &dyn Fn(usize, &Call) -> bool| {
            calls.iter().enumerate().any(|(i, call)| what(i, call))
        };
        let is_call = |call: &Call| call.record.kind == Kind::Call;
        let has_result = |call: &Call| call.record.ret != Some(-1);
        let mark = |mark: Mark| |out: &mut Drawing| mark.draw(out, SERVER, (WIDE / 2.0, 0.0));
        let bar = |again| move |out: &mut Drawing| out.add(bar(again, rect(0.0, -4.5, WIDE, 9.0)));
        if occurs(&|i, call| is_call(call) && !self.is_bar(i) && has_result(call)) {
            legend.add(
                self.view.lang.pick("a call that returned at once", "立即返回的调用"),
                mark(Mark::Done),
            );
        }
        if occurs(&|i, call| self.is_bar(i) && call.times == 1) {
            legend.add(
                self.view.lang.pick("a call, as long as it lasted", "一次调用，长度是它持续的时间"),
                bar(false),
            );
        }
        if occurs(&|_, call| call.times > 1) {
            legend.add(
                self.view.lang.pick(
                    "repeated calls that found nothing (EAGAIN)",
                    "一次又一次一无所获的调用 (EAGAIN)",
                ),
                bar(true),
            );
        }
        if occurs(&|_, call| !has_result(call) && !call.failed() && call.times == 1) {
            legend.add(
                self.view.lang.pick(
                    "a call that returned without a result, which is normal",
                    "没有结果就返回的调用，这是正常的",
                ),
                mark(Mark::Later),
            );
        }
        if occurs(&|_, call| call.failed()) {
            legend.add(self.view.lang.pick("a call that failed", "失败的调用"), mark(Mark::Failed));
        }
        if occurs(&|_, call| !is_call(call)) {
            legend.add(self.view.lang.pick("a note", "说明"), mark(Mark::Note));
        }
        if occurs(&|_, call| call.state.is_some()) {
            legend.add(
                self.view.lang.pick("the state of TCP from here on", "从这里起的 TCP 状态"),
                |out| draw_tag(out, "STATE", (0.0, 0.0)),
            );
        }
    }

    fn explain_arrows(&self, legend: &mut Legend) {
        let arrows = &self.timeline.arrows;
        for (kind, words) in [
            (ArrowKind::Fork, self.view.lang.pick("a process is copied", "进程被复制")),
            (
                ArrowKind::Connect,
                self.view
                    .lang
                    .pick("a connection, from connect to accept", "一个连接，从 connect 到 accept"),
            ),
            (
                ArrowKind::Bytes,
                self.view
                    .lang
                    .pick("bytes of a stream, from send to recv", "流中的字节，从 send 到 recv"),
            ),
            (ArrowKind::Datagram, self.view.lang.pick("a datagram", "一个数据报")),
            (
                ArrowKind::End,
                self.view.lang.pick(
                    "the end of a stream, to the recv that returns 0",
                    "流的结束，到返回 0 的 recv",
                ),
            ),
            (ArrowKind::Reset, self.view.lang.pick("a connection is reset", "连接被重置")),
        ] {
            if arrows.iter().any(|arrow| arrow.kind == kind) {
                let pen = Pen::of(kind, SERVER);
                legend.add(words, |out| {
                    out.group(pen.group(), |out| pen.arrow(out, (0.0, 0.0), (WIDE, 0.0)));
                });
            }
        }
        let pen = Pen::of(ArrowKind::Bytes, SERVER);
        if arrows.iter().any(|arrow| arrow.to.is_none()) {
            legend.add(
                self.view.lang.pick("sent, but never received", "已发送，没有被接收"),
                |out| {
                    out.group(pen.group(), |out| pen.lost(out, (0.0, 0.0), (32.0, 0.0)));
                },
            );
        }
        if arrows.iter().any(|arrow| arrow.from.is_none()) {
            legend.add(
                self.view
                    .lang
                    .pick("received, but no sender was observed", "已接收，没有看到发送者"),
                |out| {
                    out.group(pen.group(), |out| {
                        out.add(circle((3.0, 0.0), 3.0).fill(PAPER));
                        out.add(line((6.0, 0.0), (WIDE, 0.0)));
                    });
                },
            );
        }
    }
}
