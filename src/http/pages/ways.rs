//! The ways around: five groups of pages, and which gym they are about. Gym and range are chosen
//! once: every way carries them on, in its address.

use maud::{Markup, html};

use super::people;
use super::visitor::Visitor;
use crate::http::auth::Access;
use crate::store::{Gym, Role};

/// With more gyms than this, they are found on the page of all, and not listed on every page.
const LISTED_MAX: usize = 40;

/// What people come for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Now,
    Visits,
    Members,
    Quality,
    SetUp,
}

impl Group {
    pub const ALL: [Group; 5] =
        [Group::Now, Group::Visits, Group::Members, Group::Quality, Group::SetUp];

    pub fn word(self) -> &'static str {
        match self {
            Group::Now => "now",
            Group::Visits => "visits",
            Group::Members => "members",
            Group::Quality => "quality",
            Group::SetUp => "set-up",
        }
    }

    /// The lines of its sign, in a square of 24.
    fn sign(self) -> &'static str {
        match self {
            Group::Now => "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 7v5l3 2",
            Group::Visits => "M4 20h16M6 20v-6M11 20V5M16 20v-9",
            Group::Members => "M12 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8M4 21c0-9 16-9 16 0",
            Group::Quality => "M12 3l8 3v5c0 5-3 8-8 10c-5-2-8-5-8-10V6zM8 12l3 3l5-6",
            Group::SetUp => "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
        }
    }
}

/// Of what a page is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// One gym, or all of them.
    Either,
    Gym,
    /// Neither: the chosen gym is in its query.
    Apart,
}

struct Way {
    name: &'static str,
    /// After that of the gym, if it is of one.
    path: &'static str,
    /// The message that names it.
    key: &'static str,
    group: Group,
    of: Of,
    may: fn(&Access) -> bool,
}

/// The pages that are no report, by name.
pub const NOW: &str = "now";
pub const ANNOTATIONS: &str = "annotations";
pub const MEMBERS: &str = "member-lists";
pub const SET_UP: &str = "set-up";
pub const CONNECTION: &str = "connection";
pub const SETTINGS: &str = "settings";
pub const RULES: &str = "rules";
pub const NEW_GYM: &str = "new-gym";
pub const PEOPLE: &str = "people";
pub const SESSIONS: &str = "sessions";

const fn report(
    name: &'static str,
    path: &'static str,
    key: &'static str,
    group: Group,
    of: Of,
) -> Way {
    Way { name, path, key, group, of, may: anybody }
}

const WAYS: [Way; 20] = [
    report(NOW, "", "group.now", Group::Now, Of::Either),
    report("visits", "/reports/visits", "report.visits", Group::Visits, Of::Either),
    report("occupancy", "/reports/occupancy", "report.occupancy", Group::Visits, Of::Either),
    report(
        "popular-times",
        "/reports/popular-times",
        "report.popular-times",
        Group::Visits,
        Of::Gym,
    ),
    report("durations", "/reports/durations", "report.durations", Group::Visits, Of::Either),
    report("equipment", "/reports/equipment", "report.equipment", Group::Visits, Of::Either),
    report("activity", "/reports/activity", "report.activity", Group::Members, Of::Either),
    report("members", "/reports/members", "report.members", Group::Members, Of::Either),
    report("retention", "/reports/retention", "report.retention", Group::Members, Of::Gym),
    report("onboarding", "/reports/onboarding", "report.onboarding", Group::Members, Of::Either),
    Way {
        name: MEMBERS,
        path: "/members",
        key: "members.title",
        group: Group::Members,
        of: Of::Gym,
        may: manager,
    },
    report("quality", "/reports/quality", "report.quality", Group::Quality, Of::Either),
    report(ANNOTATIONS, "/annotations", "annotations.title", Group::Quality, Of::Gym),
    Way {
        name: SET_UP,
        path: "/set-up",
        key: "set_up.title",
        group: Group::SetUp,
        of: Of::Gym,
        may: admin,
    },
    Way {
        name: CONNECTION,
        path: "/connection",
        key: "connect.title",
        group: Group::SetUp,
        of: Of::Gym,
        may: admin,
    },
    Way {
        name: SETTINGS,
        path: "/settings",
        key: "settings.title",
        group: Group::SetUp,
        of: Of::Gym,
        may: admin,
    },
    Way {
        name: RULES,
        path: "/rules",
        key: "rules.title",
        group: Group::SetUp,
        of: Of::Gym,
        may: admin,
    },
    Way {
        name: PEOPLE,
        path: "/people",
        key: "people.title",
        group: Group::SetUp,
        of: Of::Apart,
        may: people::may_open,
    },
    Way {
        name: NEW_GYM,
        path: "/new-gym",
        key: "new_gym.title",
        group: Group::SetUp,
        of: Of::Apart,
        may: people::may_open,
    },
    report(SESSIONS, "/sessions", "sessions.title", Group::SetUp, Of::Apart),
];

fn anybody(_: &Access) -> bool {
    true
}

fn manager(access: &Access) -> bool {
    access.require(Role::Manager).is_ok()
}

fn admin(access: &Access) -> bool {
    access.require(Role::Admin).is_ok()
}

/// Where a page is.
pub struct Place {
    /// One of those that have ways to them.
    name: &'static str,
    gym: Option<Gym>,
}

impl Place {
    pub fn of(gym: &Gym, name: &'static str) -> Place {
        Place { name, gym: Some(gym.clone()) }
    }

    /// Of all gyms, or of none.
    pub fn of_all(name: &'static str) -> Place {
        Place { name, gym: None }
    }
}

/// All ways from a page.
pub struct Around<'a> {
    visitor: &'a Visitor,
    /// All that the visitor may see.
    gyms: &'a [Gym],
    here: Option<&'static Way>,
    gym: Option<&'a Gym>,
}

impl<'a> Around<'a> {
    pub fn of(visitor: &'a Visitor, gyms: &'a [Gym], place: Option<&'a Place>) -> Around<'a> {
        let here = place.and_then(|place| WAYS.iter().find(|way| way.name == place.name));
        let named = visitor.chosen_gym();
        let named = named.and_then(|slug| gyms.iter().find(|gym| gym.slug.as_str() == slug));
        let is_apart = here.is_none_or(|way| way.of == Of::Apart);
        let gym = place.and_then(|place| place.gym.as_ref()).or(named.filter(|_| is_apart));
        Around { visitor, gyms, here, gym }
    }

    fn open(&self, group: Group, gym: Option<&Gym>) -> impl Iterator<Item = &'static Way> {
        let has_gym = gym.is_some();
        let access = self.visitor.access.clone();
        WAYS.iter().filter(move |way| {
            way.group == group && (has_gym || way.of != Of::Gym) && (way.may)(&access)
        })
    }

    /// The address of a page of a gym, or of all, with what was chosen.
    fn link(&self, way: &Way, gym: Option<&Gym>) -> String {
        address(way, gym, &self.visitor.kept())
    }

    /// The same page of another gym, or of all; where there is none, the group's first.
    fn same(&self, gym: Option<&Gym>) -> String {
        let here = self.here.unwrap_or(&WAYS[0]);
        match gym {
            Some(_) if here.of != Of::Apart => address(here, gym, self.visitor.query()),
            None if here.of == Of::Either => address(here, None, self.visitor.query()),
            _ => {
                let first = self.open(here.group, gym).next();
                self.link(first.unwrap_or(&WAYS[0]), gym)
            }
        }
    }

    /// The groups: beside the page on a desk, under it on a phone.
    pub fn groups(&self) -> Markup {
        let words = self.visitor.words;
        html! {
            nav.groups aria-label=(words.say("frame.around")) {
                @for group in Group::ALL {
                    @if let Some(first) = self.open(group, self.gym).next() {
                        @let is_here = self.here.is_some_and(|way| way.group == group);
                        a href=(self.link(first, self.gym)) aria-current=[is_here.then_some("true")] {
                            svg viewBox="0 0 24 24" aria-hidden="true" { path d=(group.sign()) {} }
                            span { (words.say(&format!("group.{}", group.word()))) }
                        }
                    }
                }
            }
        }
    }

    /// The pages of the group.
    pub fn pages(&self) -> Markup {
        let words = self.visitor.words;
        let ways: Vec<_> =
            self.here.into_iter().flat_map(|here| self.open(here.group, self.gym)).collect();
        let is_here = |way: &Way| self.here.is_some_and(|here| here.name == way.name);
        html! {
            @if let (true, Some(here)) = (ways.len() > 1, self.here) {
                nav.ways aria-label=(words.say(&format!("group.{}", here.group.word()))) {
                    @for way in ways {
                        a href=(self.link(way, self.gym))
                            aria-current=[is_here(way).then_some("page")] { (words.say(way.key)) }
                    }
                }
            }
        }
    }

    /// Which gym it is about, or all of them, and the same page of each other.
    pub fn chosen(&self) -> Markup {
        let words = self.visitor.words;
        let all = words.say("chain.title");
        let name = self.gym.map_or(all, |gym| &gym.settings.name);
        let is_here = |gym: Option<&Gym>| gym.map(|gym| gym.id) == self.gym.map(|gym| gym.id);
        let to = |gym: Option<&Gym>, name: &str| {
            html! { li { a href=(self.same(gym)) aria-current=[is_here(gym).then_some("true")] { (name) } } }
        };
        let listed = if self.gyms.len() > LISTED_MAX { &[] } else { self.gyms };
        let (closed, open): (Vec<_>, Vec<_>) =
            listed.iter().partition(|gym| gym.archived_at.is_some());
        html! {
            @if self.gyms.is_empty() { span.gyms { (name) } } @else {
                details.menu.gyms {
                    summary { span.sr { (words.say("frame.gym")) ": " } (name) }
                    ul {
                        (to(None, all))
                        @if listed.is_empty() {
                            li { a href=(self.link(&WAYS[0], None)) { (words.say("overview.find")) } }
                        }
                        @for gym in open { (to(Some(gym), &gym.settings.name)) }
                        @for gym in closed {
                            (to(Some(gym), &words.fill("frame.archived", &[&gym.settings.name])))
                        }
                    }
                }
            }
        }
    }
}

fn address(way: &Way, gym: Option<&Gym>, query: &str) -> String {
    match (gym, way.of) {
        (Some(gym), Of::Apart) => {
            let and = if query.is_empty() { "" } else { "&" };
            format!("{}?gym={}{and}{query}", way.path, gym.slug)
        }
        (Some(gym), _) => with_query(&format!("/gyms/{}{}", gym.slug, way.path), query),
        (None, _) if way.path.is_empty() => with_query("/", query),
        (None, _) => with_query(way.path, query),
    }
}

fn with_query(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
