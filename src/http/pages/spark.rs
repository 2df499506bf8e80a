//! A small curve: a day so far over the usual one. Its numbers stand beside it.

use std::fmt::Write;

use maud::{Markup, html};

/// Of a curve, for each hour one wide.
const HEIGHT: f64 = 16.0;

/// Both by the hour.
pub fn spark(so_far: &[Option<f64>], usual: &[Option<f64>]) -> Markup {
    let highest = so_far.iter().chain(usual).flatten().copied().fold(1.0, f64::max);
    let ground = points(usual, highest);
    let hours = so_far.len().max(1);
    html! {
        svg.spark viewBox={ "0 0 " (hours) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" {
            @if !ground.is_empty() {
                polygon points={ "0," (HEIGHT) " " (ground) (hours) "," (HEIGHT) } {}
            }
            polyline points=(points(so_far, highest).trim_end()) {}
        }
    }
}

fn points(values: &[Option<f64>], highest: f64) -> String {
    let mut points = String::new();
    for (place, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let y = HEIGHT - (HEIGHT - 1.0) * value / highest;
            write!(points, "{place}.5,{y:.1} ").expect("it is memory");
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_where_nothing_is_known() {
        assert_eq!(points(&[Some(0.0), Some(4.0), None], 4.0), "0.5,16.0 1.5,1.0 ");
        let drawn = spark(&[Some(2.0), None], &[None, None]).into_string();
        assert!(!drawn.contains("polygon"), "nothing is usual yet: {drawn}");
    }
}
