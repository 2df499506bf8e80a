//! Gyms: made, changed, archived.

use chrono_tz::Tz;

use super::{By, Refused};
use crate::domain::Millis;
use crate::domain::ids::{GymId, Slug};
use crate::domain::names;
use crate::domain::report::busy::Public;
use crate::domain::rules::{RETAIN_MONTHS_DEFAULT, Rules, retain_months};
use crate::store::{Gym, GymSettings, Tx};

/// What is said of a gym. What is not, stays as it is, or is the default of a gym that is new.
#[derive(Debug, Clone, Default)]
pub struct Said {
    pub name: Option<String>,
    pub time_zone: Option<String>,
    /// 0: not known.
    pub capacity: Option<u32>,
    /// In minutes: window, stay, tail, grace.
    pub rules: [Option<u32>; 4],
    pub retain: Option<Retain>,
    pub public: Option<Public>,
    pub archived: Option<bool>,
    /// Change the zone though there are frozen sums, whose days keep the old one.
    pub frozen_days_keep_zone: bool,
}

impl Said {
    /// Whether it names what a gym is counted by.
    pub fn is_about_counting(&self) -> bool {
        self.time_zone.is_some() || self.rules.iter().any(Option::is_some)
    }
}

/// For how long events are kept.
#[derive(Debug, Clone, Copy)]
pub enum Retain {
    ForEver,
    Months(u32),
}

/// A gym that was changed.
pub struct Changed {
    /// As it is now.
    pub gym: Gym,
    /// As it was said: other rules, or another zone, come when all is counted again by them.
    pub settings: GymSettings,
}

impl Changed {
    pub fn is_to_be_recounted(&self) -> bool {
        must_recount(&self.gym.settings, &self.settings)
    }
}

fn must_recount(now: &GymSettings, then: &GymSettings) -> bool {
    now.zone != then.zone || now.rules != then.rules
}

impl Said {
    /// What is said, over what there is.
    pub fn over(&self, now: &GymSettings) -> Result<GymSettings, Refused> {
        let [window, stay, tail, grace] = now.rules.minutes();
        let [new_window, new_stay, new_tail, new_grace] = self.rules;
        let rules = Rules::new(
            new_window.unwrap_or(window),
            new_stay.unwrap_or(stay),
            new_tail.unwrap_or(tail),
            new_grace.unwrap_or(grace),
        );
        let settings = GymSettings {
            name: self.name.as_deref().map_or(Ok(now.name.clone()), name)?,
            zone: self.time_zone.as_deref().map_or(Ok(now.zone), zone)?,
            capacity: match self.capacity {
                Some(given) => Some(given).filter(|capacity| *capacity > 0),
                None => now.capacity,
            },
            rules: rules.map_err(|error| Refused::Bad(error.to_string()))?,
            retain_months: self.retain.map_or(Ok(now.retain_months), months)?,
            public: self.public.unwrap_or(now.public),
        };
        if settings.public != Public::Off && settings.capacity.is_none() {
            let why = "--public needs a capacity, `public` over the API: how busy a gym is, is told \
                       in terms of it; give one too, or say `off`";
            return Err(Refused::Bad(why.to_owned()));
        }
        Ok(settings)
    }

    /// What is said of a gym that is new.
    fn of_new(&self) -> Result<GymSettings, Refused> {
        let (Some(given), Some(time_zone)) = (&self.name, &self.time_zone) else {
            return Err(Refused::Bad("a new gym needs a name and a time zone".to_owned()));
        };
        self.over(&GymSettings {
            name: name(given)?,
            zone: zone(time_zone)?,
            capacity: None,
            rules: Rules::default(),
            retain_months: Some(RETAIN_MONTHS_DEFAULT),
            public: Public::Off,
        })
    }
}

/// Adds a gym. For who may do so at all gyms.
pub fn add(
    tx: &mut Tx<'_>,
    by: By<'_>,
    slug: &Slug,
    said: &Said,
    now: Millis,
) -> Result<Gym, Refused> {
    by.require_all_gyms()?;
    let settings = said.of_new()?;
    if tx.view().removals()?.iter().any(|(_, removed)| removed == slug) {
        let why = format!("{slug} is being removed; it can be added again when that is done");
        return Err(Refused::Conflict(why));
    }
    let taken =
        || Refused::Taken(format!("there is a gym {slug} already; change that, or take another"));
    if !tx.add_gym(slug, &settings, now)? {
        return Err(taken());
    }
    let gym = tx.view().gym_by_slug(slug)?.ok_or_else(taken)?;
    archive(tx, &gym, said.archived, now)?;
    Ok(tx.gym(gym.id)?)
}

/// Changes a gym. What needs no recount holds at once, whatever becomes of one.
pub fn change(tx: &mut Tx<'_>, id: GymId, said: &Said, now: Millis) -> Result<Changed, Refused> {
    let gym = tx.gym(id)?;
    let settings = said.over(&gym.settings)?;
    if settings.zone != gym.settings.zone
        && !said.frozen_days_keep_zone
        && tx.view().has_frozen_days(id)?
    {
        return Err(Refused::Conflict(format!(
            "{} has sums of members that were erased or whose events were not kept; their days \
             stay those of {}. If that is right, say --frozen-days-keep-zone, or over the API \
             `\"frozen_days_keep_zone\": true`",
            gym.slug, gym.settings.zone
        )));
    }
    let Gym { settings: GymSettings { zone, rules, .. }, .. } = gym;
    let at_once = GymSettings { zone, rules, ..settings.clone() };
    if at_once != gym.settings {
        tx.set_gym(id, &at_once, gym.generation)?;
    }
    if said.is_about_counting() {
        let wanted = Some(&settings).filter(|settings| must_recount(&gym.settings, settings));
        tx.want(id, wanted)?;
    }
    archive(tx, &gym, said.archived, now)?;
    Ok(Changed { gym: tx.gym(id)?, settings })
}

/// Archives a gym, or opens it again; one that is archived was so from the first time on.
fn archive(
    tx: &mut Tx<'_>,
    gym: &Gym,
    is_archived: Option<bool>,
    now: Millis,
) -> Result<(), Refused> {
    match (is_archived, gym.archived_at) {
        (Some(true), None) => tx.set_archived(gym.id, Some(now))?,
        (Some(false), Some(_)) => tx.set_archived(gym.id, None)?,
        (Some(true), Some(_)) | (Some(false), None) | (None, _) => {}
    }
    Ok(())
}

fn name(given: &str) -> Result<String, Refused> {
    names::name(given).map_err(|error| Refused::Bad(format!("the gym's name is no good: {error}")))
}

fn months(retain: Retain) -> Result<Option<u32>, Refused> {
    match retain {
        Retain::ForEver => Ok(None),
        Retain::Months(months) => {
            retain_months(months).map(Some).map_err(|bad| Refused::Bad(bad.to_string()))
        }
    }
}

fn zone(name: &str) -> Result<Tz, Refused> {
    name.parse().map_err(|_| {
        let nearest = nearest_zone(name);
        Refused::Bad(format!(
            "there is no time zone {name:?} in the IANA database; did you mean {nearest}?"
        ))
    })
}

/// The time zone whose name is most like that one.
pub fn nearest_zone(name: &str) -> &'static str {
    let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    let nearest = names.max_by_key(|known| {
        (strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase()) * 1e6) as i64
    });
    nearest.unwrap_or("Europe/Berlin")
}
