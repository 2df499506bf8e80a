//! The wall screen: one gym after the other, large, without anything to press. What the address
//! names stays as long as the screen is on; a browser without a script turns all the same.

use actix_web::{HttpResponse, web};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use super::assets::TAG;
use super::frame;
use super::now::count;
use super::overview::day_so_far;
use super::visitor::Visitor;
use super::words::Words;
use crate::clock;
use crate::domain::Millis;
use crate::domain::calendar::local;
use crate::http::App;
use crate::http::problem::{Code, Problem};
use crate::projection::live::Live;
use crate::projection::read;
use crate::store::{Gym, Snapshot};

/// So many gyms at most turn on one screen.
pub const WALL_GYMS_MAX: usize = 50;
/// A gym stays for so many seconds, unless the address says another number.
pub const WALL_SECONDS: u32 = 20;
/// A gym stays for at least and at most so many seconds.
const SECONDS: std::ops::RangeInclusive<u32> = 5..=600;
/// The numbers are asked for anew after so many seconds.
const LOOK_SECONDS: u32 = 15;
/// A number that is older than so many minutes is not believed any more: it fades.
const OLD_MINUTES: u32 = 5;

#[derive(Deserialize)]
pub struct Asked {
    /// Slugs, joined by commas; all that the visitor may see when it is missing.
    gyms: Option<String>,
    seconds: Option<u32>,
    /// Which of them is shown, without a script.
    turn: Option<usize>,
}

/// What turns, and how.
struct Wall {
    gyms: Vec<Live>,
    seconds: u32,
    first: usize,
}

/// The address of the wall screen of these gyms.
pub fn address<'a>(slugs: impl Iterator<Item = &'a str>) -> String {
    let slugs: Vec<_> = slugs.take(WALL_GYMS_MAX).collect();
    format!("/wall?gyms={}&seconds={WALL_SECONDS}", slugs.join(","))
}

pub async fn all(app: web::Data<App>, visitor: Visitor, asked: web::Query<Asked>) -> HttpResponse {
    let seen = app.clone();
    let page = visitor.draw(HttpResponse::Ok(), app, move |visitor, snapshot| {
        let now = clock::now();
        let wall = Wall::of(&seen, visitor, snapshot, &asked, now)?;
        let slides =
            wall.gyms.iter().enumerate().map(|(place, live)| {
                slide(visitor.words, snapshot, live, place == wall.first, now)
            });
        let slides = slides.collect::<Result<Vec<_>, _>>()?;
        Ok(whole(visitor.words, &wall, &slides))
    });
    page.await
}

impl Wall {
    fn of(
        app: &App,
        visitor: &Visitor,
        snapshot: &Snapshot<'_>,
        asked: &Asked,
        now: Millis,
    ) -> Result<Wall, Problem> {
        let seconds = asked.seconds.unwrap_or(WALL_SECONDS);
        if !SECONDS.contains(&seconds) {
            let [least, most] = [SECONDS.start(), SECONDS.end()].map(u32::to_string);
            let detail = format!("`seconds` is from {least} to {most}");
            let problem = Problem::new(Code::BadParameter, detail);
            return Err(problem.as_message("wall.seconds", &[&least, &most]));
        }
        let chosen = chosen(visitor, snapshot, asked.gyms.as_deref())?;
        let live = app.metrics.gyms_now(snapshot, now)?;
        // In the order of the address; an archived gym has no present.
        let of = |gym: &Gym| live.iter().find(|live| live.gym.id == gym.id).cloned();
        let gyms: Vec<_> = chosen.iter().filter_map(of).collect();
        if gyms.is_empty() {
            let problem = Problem::new(Code::NotFound, "there is no open gym that you may see");
            return Err(problem.as_message("now.no_gyms", &[]));
        }
        let first = asked.turn.unwrap_or(0) % gyms.len();
        Ok(Wall { gyms, seconds, first })
    }

    /// What a browser without a script asks for next.
    fn next(&self) -> String {
        let slugs = self.gyms.iter().map(|live| live.gym.slug.as_str()).collect::<Vec<_>>();
        let (slugs, turn) = (slugs.join(","), self.first + 1);
        format!("{0}; url=/wall?gyms={slugs}&seconds={0}&turn={turn}", self.seconds)
    }
}

/// The gyms that are named, each of which the visitor must be allowed to see, or all those.
fn chosen(
    visitor: &Visitor,
    snapshot: &Snapshot<'_>,
    slugs: Option<&str>,
) -> Result<Vec<Gym>, Problem> {
    let slugs = slugs.unwrap_or_default().split(',').map(str::trim);
    let slugs: Vec<_> = slugs.filter(|slug| !slug.is_empty()).collect();
    let gyms = if slugs.is_empty() {
        visitor.access.gyms(snapshot)?
    } else if slugs.len() <= WALL_GYMS_MAX {
        let gyms = slugs.into_iter().map(|slug| visitor.access.gym(snapshot, slug));
        gyms.collect::<Result<_, _>>()?
    } else {
        let detail = format!("`gyms` names at most {WALL_GYMS_MAX} gyms");
        let problem = Problem::new(Code::BadParameter, detail);
        return Err(problem.as_message("wall.many", &[&WALL_GYMS_MAX.to_string()]));
    };
    Ok(gyms.into_iter().filter(|gym| gym.archived_at.is_none()).take(WALL_GYMS_MAX).collect())
}

/// One gym, as large as the screen.
fn slide(
    words: &Words,
    snapshot: &Snapshot<'_>,
    live: &Live,
    is_shown: bool,
    now: Millis,
) -> Result<Markup, Problem> {
    let (gym, zone) = (&live.gym, live.gym.settings.zone);
    let closed = read::is_closed(snapshot, gym, now)?;
    let spark = day_so_far(snapshot, live, now)?;
    let at = words.fill("wall.at", &[&words.time(local(zone, now))]);
    Ok(html! {
        section.slide hidden[!is_shown] {
            h1 { (gym.settings.name) }
            @if let Some(last) = live.last_event {
                (count(words, gym, live.present))
                (spark)
                p.says {
                    @if closed { (words.say("now.closed")) }
                    @else if live.is_silent == Some(true) {
                        strong.full { (words.fill("overview.silent", &[&words.moment(local(zone, last))])) }
                    }
                    @else if let Some(usual) = live.usual {
                        (words.fill("now.usually", &[&words.whole(usual.average.round() as i64)]))
                    }
                }
            } @else { p.says { (words.say("overview.nothing")) } }
            p.age data-at=(at) { (at) }
        }
    })
}

fn whole(words: &Words, wall: &Wall, slides: &[Markup]) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(words.code) {
            head {
                (frame::about(words.say("wall.title")))
                noscript { meta http-equiv="refresh" content=(wall.next()); }
                script defer src={ "/assets/wall.js?" (*TAG) } {}
            }
            body.wall {
                main data-wall=(*TAG) data-turn=(wall.seconds) data-look=(LOOK_SECONDS)
                    data-old=(OLD_MINUTES) data-fresh=(words.say("wall.fresh"))
                    data-minutes=(words.say("wall.minutes")) data-lost=(words.say("wall.lost"))
                    data-out=(words.say("wall.out")) {
                    @for slide in slides { (slide) }
                }
            }
        }
    }
}
