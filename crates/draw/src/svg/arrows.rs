//! The arrows between the lifelines, and what the mouse finds on them.

use super::figure::Figure;
use super::measures::{HEAD, HEADS, LOST, TIP, UNIT, role_ink};
use super::side::Side;
use crate::ink::{ERROR, Ink, PAPER};
use crate::shapes::{Drawing, Element, Fill, Path, Point, circle, group, line, path};
use crate::{Arrow, ArrowKind, Tip, headline};
use netplay_record::text::count;
use netplay_text::say;

impl Figure<'_> {
    pub(super) fn draw_arrows(&self, out: &mut Drawing) {
        for arrow in &self.timeline.arrows {
            if let Some(by) = arrow.from.or(arrow.to) {
                let pen = Pen::of(arrow.kind, role_ink(&self.timeline.lanes[by.lane]));
                let tooltip = self.arrow_tooltip(arrow);
                out.group(pen.group().title(&tooltip), |out| self.draw_arrow(out, arrow, pen));
            }
        }
    }

    fn draw_arrow(&self, out: &mut Drawing, arrow: &Arrow, pen: Pen) {
        let (from, to) = self.ends(arrow);
        match (arrow.from, arrow.to) {
            (Some(tip), Some(other)) if tip.lane == other.lane => {
                pen.around(out, self.lanes[tip.lane], from.1, to.1);
            }
            (_, None) => pen.lost(out, from, to),
            (None, Some(_)) => pen.unsent(out, from, to),
            (Some(_), Some(_)) => pen.arrow(out, from, to),
        }
    }

    /// The two ends of an arrow; one that ends nowhere ends in the air.
    pub(super) fn ends(&self, arrow: &Arrow) -> (Point, Point) {
        let height = |tip: &Tip| {
            let call = tip.call?;
            let early = tip.at_ns <= self.timeline.calls[call].from_ns;
            Some(if early { self.began(call) } else { self.returned(call) })
        };
        let place = |tip: &Tip, other: Option<&Tip>| {
            // A side that was not watched tells no time: the arrow lies flat.
            let y = height(tip).or(other.and_then(height)).unwrap_or(HEADS + HEAD);
            (self.lanes[tip.lane], y)
        };
        match (&arrow.from, &arrow.to) {
            (Some(from), Some(to)) => {
                let ((x1, y1), (x2, y2)) = (place(from, Some(to)), place(to, Some(from)));
                let side = if x2 >= x1 { Side::Right } else { Side::Left };
                ((side.away(x1, TIP), y1), (side.away(x2, -TIP), y2))
            }
            (Some(from), None) => {
                let ((x, y), side) = (place(from, None), self.outward(from));
                ((side.away(x, TIP), y), (side.away(x, LOST), y + 0.6 * UNIT))
            }
            (None, Some(to)) => {
                let ((x, y), side) = (place(to, None), self.outward(to));
                ((side.away(x, LOST), y - 0.6 * UNIT), (side.away(x, TIP), y))
            }
            (None, None) => ((0.0, 0.0), (0.0, 0.0)),
        }
    }

    fn arrow_tooltip(&self, arrow: &Arrow) -> String {
        let lang = self.view.lang;
        let bytes = count(arrow.bytes.unwrap_or_default(), lang);
        let what = match arrow.kind {
            ArrowKind::Connect => say!(lang, "a connection", "一个连接"),
            ArrowKind::Bytes => bytes,
            ArrowKind::Datagram => say!(lang, "a datagram of {bytes}", "{bytes}的数据报"),
            ArrowKind::End => say!(lang, "the end of the stream", "流的结束 (FIN)"),
            ArrowKind::Reset => say!(lang, "the reset of the connection", "连接被重置 (RST)"),
            ArrowKind::Fork => say!(lang, "a copy of the process", "进程的副本"),
        };
        let end = |word: &str, tip: Option<Tip>, unknown: &str| match tip {
            Some(tip) => format!("{word} {}", self.tip(&tip)),
            None => unknown.to_owned(),
        };
        let unknown = lang.pick("its sender is unknown", "不知道是谁发出的");
        let from = end(lang.pick("from", "从"), arrow.from, unknown);
        let to = end(lang.pick("to", "到"), arrow.to, lang.pick("never received", "没有被接收"));
        format!("{what}\n{from}\n{to}")
    }

    /// Where an arrow begins or ends, in words.
    fn tip(&self, tip: &Tip) -> String {
        let lane = &self.timeline.lanes[tip.lane];
        match tip.call {
            Some(call) => {
                let call = headline(&self.timeline.calls[call], self.view.lang);
                format!("{}: {call}, {}", lane.name, self.at(tip.at_ns))
            }
            None => format!("{}: {}", lane.name, lane.detail),
        }
    }
}

/// What draws arrows of a kind, in a colour.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    kind: ArrowKind,
    ink: Ink,
}

impl Pen {
    /// For the arrows of a side.
    pub(super) fn of(kind: ArrowKind, side: Ink) -> Pen {
        Pen { kind, ink: if kind == ArrowKind::Reset { ERROR } else { side } }
    }

    /// The look of a whole arrow.
    pub(super) fn group(self) -> Element<'static> {
        let class = match self.kind {
            ArrowKind::Connect => "arrow connect",
            ArrowKind::Bytes => "arrow bytes",
            ArrowKind::Datagram => "arrow datagram",
            ArrowKind::End => "arrow end",
            ArrowKind::Reset => "arrow reset",
            ArrowKind::Fork => "arrow fork",
        };
        group(class).fill(Fill::None).stroke(self.ink, 1.3)
    }

    /// Dashes are the line's alone: not every program lets a part of a dashed group be whole again, and a dashed
    /// head is no head.
    fn dashed(self, line: Element<'_>) -> Element<'_> {
        line.dashes(match self.kind {
            ArrowKind::Datagram => "6 4",
            ArrowKind::Fork => "2 3",
            _ => "",
        })
    }

    /// A line with its head.
    pub(super) fn arrow(self, out: &mut Drawing, from: Point, to: Point) {
        let hollow = self.kind == ArrowKind::Connect;
        let end = if hollow { before(from, to, 9.0, 0.0) } else { to };
        out.add(self.dashed(line(from, end)));
        self.head(out, from, to);
    }

    /// A line, and a cross in the air.
    pub(super) fn lost(self, out: &mut Drawing, from: Point, to @ (x, y): Point) {
        out.add(self.dashed(line(from, to)));
        let one = Path::at((x - 5.0, y - 5.0)).line_by(10.0, 10.0);
        let cross = one.move_to((x + 5.0, y - 5.0)).line_by(-10.0, 10.0);
        out.add(path(&cross).class("lost").stroke(ERROR, 2.2));
    }

    /// An arrow that begins in the air: no trace has what sent it.
    fn unsent(self, out: &mut Drawing, from: Point, to: Point) {
        self.arrow(out, from, to);
        out.add(circle(from, 3.0).fill(PAPER));
    }

    /// From a process to itself: around the outside.
    fn around(self, out: &mut Drawing, lifeline: f64, from: f64, to: f64) {
        let (near, far) = (lifeline + TIP, lifeline + 3.0 * TIP);
        let arc = Path::at((near, from)).curve_to((far, from), (far, to), (near, to));
        out.add(self.dashed(path(&arc)));
        self.head(out, (lifeline + 2.0 * TIP, to), (near, to));
    }

    /// The head of an arrow: each kind has its own.
    fn head(self, out: &mut Drawing, from: Point, to: Point) {
        let point = |back, aside| before(from, to, back, aside);
        let open = Path::at(point(9.0, 4.0)).line_to(to).line_to(point(9.0, -4.0));
        let bar = |head: Path, a, b| head.move_to(a).line_to(b);
        let (head, fill): (Path, Fill) = match self.kind {
            ArrowKind::Datagram | ArrowKind::Fork => (open, Fill::None),
            ArrowKind::Bytes => (open.close(), self.ink.into()),
            ArrowKind::Connect => (open.close(), PAPER.into()),
            ArrowKind::End => {
                (bar(open.close(), point(0.0, 6.0), point(0.0, -6.0)), self.ink.into())
            }
            ArrowKind::Reset => {
                let one = bar(open.close(), point(20.0, 5.0), point(10.0, -5.0));
                (bar(one, point(20.0, -5.0), point(10.0, 5.0)), self.ink.into())
            }
        };
        out.add(path(&head).fill(fill));
    }
}

/// A point as far before the end of a line, and as far aside from it.
fn before(from: Point, to: Point, back: f64, aside: f64) -> Point {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(0.01);
    let (dx, dy) = (dx / length, dy / length);
    (to.0 - back * dx - aside * dy, to.1 - back * dy + aside * dx)
}
