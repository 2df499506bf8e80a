//! Times that are marked along the bars of a chart, each with a word at its place: closed, silent,
//! what somebody noted, and where things changed.

use maud::{Markup, html};

use super::{BOTTOM, HEIGHT, LEFT, RIGHT, STRIP, TOP, WIDTH, round};

/// A letter is at most about so wide on a desk, and on a phone, where the same picture is smaller.
const LETTERS: [f64; 2] = [6.5, 14.0];
/// Words that stand upright are at least so far from each other, on a desk and on a phone.
const LINES: [f64; 2] = [13.0, 26.0];

/// From one place to another, each counted in bars from the first.
pub struct Span {
    pub kind: SpanKind,
    pub from: f64,
    pub until: f64,
    /// Stands at its place.
    pub word: String,
    pub says: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Nothing came: under the bars, and behind them.
    Silent,
    /// Nobody was to come: behind the bars.
    Closed,
    /// What somebody noted: a strip above them.
    Noted,
    /// From then on things are different: a line across.
    Change,
}

impl Span {
    /// Others stand upright within the picture.
    pub fn has_word_above(&self) -> bool {
        matches!(self.kind, SpanKind::Noted | SpanKind::Change)
    }

    pub fn touches(&self, place: usize) -> bool {
        let place = place as f64;
        // What has no length touches the bar that it begins in.
        self.from < place + 1.0 && (place < self.until || place <= self.from)
    }

    fn edges(&self, width: f64) -> (f64, f64) {
        (LEFT + self.from * width, LEFT + self.until * width)
    }

    /// What lies behind the bars.
    pub fn ground(&self, width: f64) -> Markup {
        let (from, until) = self.edges(width);
        let name = match self.kind {
            SpanKind::Silent => "silent-ground",
            SpanKind::Closed => "closed-ground",
            SpanKind::Noted | SpanKind::Change => return html! {},
        };
        html! {
            rect class=(name) x=(round(from)) y=(TOP) width=(round((until - from).max(STRIP / 2.0)))
                height=(HEIGHT - TOP - BOTTOM) {}
        }
    }

    pub fn draw(&self, width: f64) -> Markup {
        let (from, until) = self.edges(width);
        let y = match self.kind {
            SpanKind::Closed => return html! {},
            SpanKind::Silent => HEIGHT - BOTTOM,
            SpanKind::Noted => TOP - STRIP,
            SpanKind::Change => {
                return html! {
                    line.change x1=(round(from)) x2=(round(from)) y1=(TOP - STRIP) y2=(HEIGHT - BOTTOM) {}
                };
            }
        };
        html! {
            rect.silent[self.kind == SpanKind::Silent].noted[self.kind == SpanKind::Noted]
                x=(round(from)) y=(y) width=(round((until - from).max(STRIP / 2.0))) height=(STRIP) {
                title { (self.says) }
            }
        }
    }
}

/// The words at their places. Where two would lie upon each other, the later one is left out: it is
/// told where one points, and under the picture.
pub fn words(spans: &[Span], width: f64) -> Markup {
    let (above, upright): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.has_word_above());
    let above: Vec<_> = above.iter().map(|span| Above::of(span, width)).collect();
    let middles: Vec<_> = upright
        .iter()
        .map(|span| {
            let (from, until) = span.edges(width);
            f64::midpoint(from, until)
        })
        .collect();
    let places = |size: usize| {
        let halves = middles.iter().map(|at| (at - LINES[size] / 2.0, at + LINES[size] / 2.0));
        free(halves)
    };
    let (desk, phone) = (places(0), places(1));
    let rows = |size: usize| free(above.iter().map(|word| word.extent(size)));
    let (row_desk, row_phone) = (rows(0), rows(1));
    html! {
        @for (place, span) in upright.iter().enumerate() {
            @if desk[place] {
                text.upright.roomy[!phone[place]] transform={
                    "translate(" (round(middles[place])) " " (HEIGHT - BOTTOM - 6.0) ") rotate(-90)" } {
                    (span.word)
                }
            }
        }
        @for (place, word) in above.iter().enumerate() {
            @if row_desk[place] {
                text.above.end[word.is_end].roomy[!row_phone[place]] x=(round(word.x))
                    y=(TOP - STRIP - 4.0) { (word.word) }
            }
        }
    }
}

/// Which of these have room beside those before them.
fn free(extents: impl Iterator<Item = (f64, f64)>) -> Vec<bool> {
    let mut taken: Vec<(f64, f64)> = vec![];
    let is_free = |(from, until): (f64, f64)| {
        let has_room = taken.iter().all(|(begin, end)| until <= *begin || *end <= from);
        if has_room {
            taken.push((from, until));
        }
        has_room
    };
    extents.map(is_free).collect()
}

/// A word above the bars: it begins where its time does, or ends where that ends, so that it stays
/// within the picture.
struct Above<'a> {
    word: &'a str,
    x: f64,
    is_end: bool,
}

impl Above<'_> {
    fn of(span: &Span, width: f64) -> Above<'_> {
        let (from, until) = span.edges(width);
        let is_end = from > f64::midpoint(LEFT, WIDTH - RIGHT);
        Above { word: &span.word, x: if is_end { until } else { from }, is_end }
    }

    fn extent(&self, size: usize) -> (f64, f64) {
        let width = self.word.chars().count() as f64 * LETTERS[size];
        if self.is_end { (self.x - width, self.x) } else { (self.x, self.x + width) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_do_not_lie_upon_each_other() {
        let extents = [(0.0, 10.0), (5.0, 15.0), (10.0, 20.0)];
        assert_eq!(free(extents.into_iter()), [true, false, true]);
    }

    #[test]
    fn a_span_is_told_at_each_bar_that_it_touches() {
        let span = |from, until| Span {
            kind: SpanKind::Silent,
            from,
            until,
            word: String::new(),
            says: String::new(),
        };
        let touched = |from, until| -> Vec<usize> {
            (0..5).filter(|place| span(from, until).touches(*place)).collect()
        };
        assert_eq!(touched(1.0, 3.0), [1, 2]);
        assert_eq!(touched(1.5, 1.6), [1]);
        assert_eq!(touched(2.0, 2.0), [2], "a change is at one instant");
    }
}
