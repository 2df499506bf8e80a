//! Charts, drawn here as SVG: bars over time, with a line beside them. Colours and dashes are the
//! style sheet's; what is incomplete is hatched, so that it shows without colour too. Each bar says
//! what it is where one points at it: `pictures.js` shows that under a finger and to the keyboard too.

mod span;

use maud::{Markup, html};

use super::words::Words;
pub use span::{Span, SpanKind};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;
/// The strips above and under the bars.
const STRIP: f64 = 5.0;
/// So many names at most fit under a chart.
const NAMES_MAX: usize = 8;
/// Above all, where words stand at what is marked.
const HEAD: f64 = 24.0;
/// A scale has about so many steps.
const STEPS: f64 = 4.0;

/// What a chart shows.
pub struct Chart<'a> {
    /// What it counts, in a sentence.
    pub label: &'a str,
    pub bars: Vec<Bar>,
    pub line: Line<'a>,
    /// What is expected at each bar that is to come.
    pub ahead: Vec<Option<Ahead>>,
    /// The bar at which it is now, and the word for that.
    pub now: Option<(usize, &'a str)>,
    /// Levels with a name, such as a share of the capacity.
    pub levels: Vec<(f64, String)>,
    pub spans: Vec<Span>,
    /// How the keyboard gets from bar to bar.
    pub hint: &'a str,
}

/// What stands beside the bars: what is usual, or was before.
#[derive(Default)]
pub struct Line<'a> {
    pub values: Vec<Option<f64>>,
    /// Written at its highest point.
    pub name: &'a str,
    /// Of another time: a step for each bar, behind them. Else it goes from hour to hour.
    pub is_behind: bool,
}

/// A number to come, give or take.
pub struct Ahead {
    pub value: f64,
    pub error: f64,
    pub says: String,
}

pub struct Bar {
    /// Under the bar, where there is room.
    pub name: String,
    pub value: Option<f64>,
    /// The whole of what the bar says: what it is, the figure, and what stands beside it.
    pub says: Vec<String>,
    pub is_complete: bool,
}

struct Scale {
    top: f64,
    step: f64,
}

impl<'a> Chart<'a> {
    /// Nothing yet, of what it counts.
    pub fn of(words: &'a Words, key: &'a str) -> Chart<'a> {
        Chart {
            label: words.say(key),
            hint: words.say("chart.hint"),
            bars: vec![],
            line: Line::default(),
            ahead: vec![],
            now: None,
            levels: vec![],
            spans: vec![],
        }
    }

    /// `write` writes a number at the scale.
    pub fn draw(&self, write: impl Fn(f64) -> String) -> Markup {
        let scale = Scale::over(self.highest());
        let width = (WIDTH - LEFT - RIGHT) / self.bars.len().max(1) as f64;
        let x = |place: usize| LEFT + place as f64 * width;
        let head = if self.spans.iter().any(Span::has_word_above) { HEAD } else { 0.0 };
        html! {
            div.picture data-hint=(self.hint) data-first=[self.now.map(|(place, _)| place)] {
            svg.chart.compared[self.line.is_behind] role="img" aria-label=(self.label)
                viewBox={ "0 " (-head) " " (WIDTH) " " (HEIGHT + head) } {
                defs { pattern #hatch width="6" height="6" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)" {
                        rect.hatch-ground width="6" height="6" {}
                        line.hatch-line x1="0" y1="0" x2="0" y2="6" {}
                } }
                @for level in scale.levels() {
                    line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(scale.y(level)) y2=(scale.y(level)) {}
                    text.scale x=(LEFT - 6.0) y=(scale.y(level) + 4.0) { (write(level)) }
                }
                @for span in &self.spans { (span.ground(width)) }
                @if self.line.is_behind { (self.steps(&scale, width)) }
                (self.bars(&scale, width))
                @for (level, name) in &self.levels {
                    line.level x1=(LEFT) x2=(WIDTH - RIGHT) y1=(scale.y(*level)) y2=(scale.y(*level)) {}
                    text.level x=(WIDTH - RIGHT) y=(scale.y(*level) - 3.0) { (name) }
                }
                @for span in &self.spans { (span.draw(width)) }
                @if !self.line.is_behind { polyline.line points=(self.points(&scale, width)) {} }
                (self.words(&scale, width))
                (span::words(&self.spans, width))
                @for (place, ahead) in self.ahead.iter().enumerate() {
                    @if let Some(ahead) = ahead { (ahead.draw(&scale, x(place) + width / 2.0)) }
                }
                @for place in 0..self.bars.len() {
                    rect.at x=(round(x(place))) width=(round(width)) y=(TOP) height=(HEIGHT - TOP - BOTTOM) {
                        title { (self.says(place)) }
                    }
                }
            } }
        }
    }

    fn bars(&self, scale: &Scale, width: f64) -> Markup {
        let x = |place: usize| LEFT + place as f64 * width;
        let every = self.bars.len().div_ceil(NAMES_MAX).max(1);
        html! {
            @for (place, bar) in self.bars.iter().enumerate() {
                @if let Some(value) = bar.value {
                    rect.bar.open[!bar.is_complete] x=(round(x(place) + width * 0.08))
                        width=(round(width * 0.84)) y=(scale.y(value))
                        height=(round(scale.y(0.0) - scale.y(value))) {}
                }
                @if place % every == 0 {
                    text.name.every-other[place / every % 2 == 1] x=(round(x(place) + width / 2.0))
                        y=(HEIGHT - 8.0) { (bar.name) }
                }
            }
        }
    }

    /// All that stands at one bar, a line for each: what it is, the figure, and what is beside it.
    fn says(&self, place: usize) -> String {
        let (name, figures) = self.bars[place].says.split_first().expect("each says what it is");
        let ahead = self.ahead.get(place).and_then(Option::as_ref).map(|ahead| &ahead.says);
        let spans = self.spans.iter().filter(|span| span.touches(place)).map(|span| &span.says);
        let lines = [name].into_iter().chain(ahead).chain(figures).chain(spans);
        lines.map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The words at what is drawn, so that it needs no legend.
    fn words(&self, scale: &Scale, width: f64) -> Markup {
        let x = |place: usize| round(LEFT + (place as f64 + 0.5) * width);
        let within = |x: f64| x.clamp(LEFT + 20.0, WIDTH - RIGHT - 30.0);
        let known = self.line.values.iter().enumerate();
        let known = known.filter_map(|(place, value)| Some((place, (*value)?)));
        let highest = known.filter(|(_, value)| *value > 0.0).max_by(|a, b| a.1.total_cmp(&b.1));
        html! {
            @if let Some((place, value)) = highest {
                text.says.of-line x=(within(x(place))) y=((scale.y(value) - 5.0).max(TOP)) {
                    (self.line.name)
                }
            }
            @if let Some((place, word)) = self.now {
                @let value = self.bars.get(place).and_then(|bar| bar.value).unwrap_or(0.0);
                text.says x=(within(x(place))) y=((scale.y(value) - 5.0).max(TOP)) { (word) }
            }
        }
    }

    /// A line that keeps its height along each bar.
    fn steps(&self, scale: &Scale, width: f64) -> Markup {
        let steps = self.line.values.iter().enumerate().filter_map(|(place, value)| {
            let (from, y) = (LEFT + place as f64 * width, scale.y((*value)?));
            Some(format!("{},{y} {},{y}", round(from), round(from + width)))
        });
        html! { polyline.line points=(steps.collect::<Vec<_>>().join(" ")) {} }
    }

    fn highest(&self) -> f64 {
        let bars = self.bars.iter().filter_map(|bar| bar.value);
        let line = self.line.values.iter().flatten().copied();
        let ahead = self.ahead.iter().flatten().map(|ahead| ahead.value + ahead.error);
        let levels = self.levels.iter().map(|(level, _)| *level);
        bars.chain(line).chain(ahead).chain(levels).fold(1.0, f64::max)
    }

    fn points(&self, scale: &Scale, width: f64) -> String {
        let point = |(place, value): (usize, &Option<f64>)| {
            let x = LEFT + (place as f64 + 0.5) * width;
            value.map(|value| format!("{},{}", round(x), scale.y(value)))
        };
        self.line.values.iter().enumerate().filter_map(point).collect::<Vec<_>>().join(" ")
    }
}

impl Ahead {
    /// A dot, and how far off it may be.
    fn draw(&self, scale: &Scale, x: f64) -> Markup {
        let (low, high) = ((self.value - self.error).max(0.0), self.value + self.error);
        html! {
            g.ahead {
                line x1=(round(x)) x2=(round(x)) y1=(scale.y(low)) y2=(scale.y(high)) {}
                circle cx=(round(x)) cy=(scale.y(self.value)) r="4" {}
            }
        }
    }
}

impl Scale {
    /// Steps of 1, 2 or 5 times a power of ten, up to what is highest.
    fn over(highest: f64) -> Scale {
        let rough = highest / STEPS;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        Scale { top: (highest / step).ceil() * step, step }
    }

    fn levels(&self) -> impl Iterator<Item = f64> + '_ {
        (0..=(self.top / self.step).round() as u32).map(|place| f64::from(place) * self.step)
    }

    fn y(&self, value: f64) -> f64 {
        round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.top)
    }
}

/// A tenth of a point is finer than a screen.
fn round(at: f64) -> f64 {
    (at * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_round_steps_and_holds_the_highest() {
        for (highest, top, step) in [(1.0, 1.0, 0.5), (7.0, 8.0, 2.0), (96.0, 100.0, 50.0)] {
            let scale = Scale::over(highest);
            assert!(
                (scale.top - top).abs() < 1e-9 && (scale.step - step).abs() < 1e-9,
                "{highest}"
            );
        }
    }
}
