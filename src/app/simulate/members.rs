//! The people of a simulated gym: who belongs to it on a day, and with what habits.
//!
//! The pool has a fixed number of places. One membership after the other takes a place, so who is
//! there on a day follows from the seed and the day alone. No instant may appear here: a member
//! knows local days and minutes of the day.

use rand::Rng;
use uuid::{Builder, Uuid};

use super::dice::{Dice, Purpose, bell, dice, near};

/// Days at the end of a membership on which its member no longer comes, at least and at most.
const ABSENT_DAYS: (i32, i32) = (7, 28);
/// Days before a member stops coming in which the visits already get fewer.
const FADING_DAYS: i32 = 42;
/// Days after joining in which a member comes more often.
const EAGER_DAYS: i32 = 28;
const FORTNIGHT_DAYS: i32 = 14;

/// One membership. Days are local ones, counted from 1970-01-01.
pub struct Member {
    pub account: Uuid,
    /// The day of the first visit, which takes place.
    pub joined: i32,
    /// The day on which the onboarding is completed, in a visit; some never do.
    pub onboarded: Option<i32>,
    /// The day before which the member stopped coming.
    pub left: i32,
    /// The last day of the membership.
    pub ended: i32,
    /// How long a visit usually takes, in minutes.
    pub stay_minutes: f64,
    /// How many machines a visit usually has.
    pub machines: f64,
    visits_per_week: f64,
    /// How much each weekday is liked, from Monday; 1 on average.
    weekdays: [f64; 7],
    habit: Habit,
    seed: u64,
    place: u64,
}

/// When somebody likes to come: a minute of the day, and how far they stray from it.
#[derive(Clone, Copy)]
struct Habit {
    weekday_minute: f64,
    weekend_minute: f64,
    spread_minutes: f64,
}

impl Member {
    /// The membership that has this place of the pool on this day.
    pub fn of_place(seed: u64, place: u64, day: i32) -> Member {
        let mut place_dice = dice(seed, Purpose::Place, place, 0);
        let is_restless = place_dice.random_bool(0.3);
        let days = if is_restless {
            place_dice.random_range(90..240)
        } else {
            place_dice.random_range(240..1_200)
        };
        let shift = place_dice.random_range(0..days);
        let number = (day + shift).div_euclid(days);
        let begin = number * days - shift;
        Member::between(seed, place, begin, begin + days)
    }

    /// Whether the member comes on a day that is so busy.
    pub fn comes(&self, day: i32, level: f64, dice: &mut Dice) -> bool {
        if day < self.joined || self.left <= day {
            return false;
        }
        let chance = self.visits_per_week / 7.0 * level * self.weekdays[weekday(day)];
        let comes = dice.random_bool((chance * self.zeal(day)).clamp(0.0, 0.97));
        day == self.joined || self.onboarded == Some(day) || (comes && !self.is_away(day))
    }

    /// The minute of the day at which the member wants to come; it may be one at which the gym is
    /// closed.
    pub fn arrival_minute(&self, day: i32, dice: &mut Dice) -> f64 {
        let habit = if dice.random_bool(0.15) { Habit::draw(dice) } else { self.habit };
        let is_weekend = weekday(day) >= 5;
        let (minute, spread) = if is_weekend {
            (habit.weekend_minute, 2.0 * habit.spread_minutes)
        } else {
            (habit.weekday_minute, habit.spread_minutes)
        };
        spread.mul_add(bell(dice), minute)
    }

    fn between(seed: u64, place: u64, begin: i32, end: i32) -> Member {
        let dice = &mut dice(seed, Purpose::Member, place, begin);
        let account = Builder::from_random_bytes(dice.random()).into_uuid();
        let joined = begin + dice.random_range(0..10);
        let left = end - dice.random_range(ABSENT_DAYS.0..=ABSENT_DAYS.1);
        let onboarded = dice.random_bool(0.6).then_some(joined + dice.random_range(2..22));
        Member {
            account,
            joined,
            onboarded,
            left,
            ended: end - 1,
            stay_minutes: near(dice, 74.0, 13.0, 40.0, 110.0),
            machines: near(dice, 4.5, 3.0, 0.0, 11.0),
            visits_per_week: 4.7_f64.mul_add(dice.random::<f64>().powf(1.1), 0.3),
            weekdays: draw_weekdays(dice),
            habit: Habit::draw(dice),
            seed,
            place,
        }
    }

    /// New members are eager, those about to leave are not.
    fn zeal(&self, day: i32) -> f64 {
        if day >= self.left - FADING_DAYS {
            0.4
        } else if day < self.joined + EAGER_DAYS {
            1.25
        } else {
            1.0
        }
    }

    /// Holidays, illness, no time: whole fortnights without a visit.
    fn is_away(&self, day: i32) -> bool {
        let fortnight = day.div_euclid(FORTNIGHT_DAYS);
        dice(self.seed, Purpose::Away, self.place, fortnight).random_bool(0.07)
    }
}

impl Habit {
    /// Before work, in the morning, at noon, after work, or late; on weekends it tells little.
    fn draw(dice: &mut Dice) -> Habit {
        let (minute, spread) = match dice.random_range(0..100) {
            0..25 => (7.33 * 60.0, 35.0),
            25..32 => (9.75 * 60.0, 55.0),
            32..43 => (12.25 * 60.0, 70.0),
            43..88 => (18.0 * 60.0, 60.0),
            _ => (20.33 * 60.0, 45.0),
        };
        Habit {
            weekday_minute: near(dice, minute, spread, 0.0, 1_440.0),
            weekend_minute: near(dice, 13.0 * 60.0, 185.0, 7.5 * 60.0, 20.5 * 60.0),
            spread_minutes: near(dice, 25.0, 10.0, 8.0, 60.0),
        }
    }
}

fn draw_weekdays(dice: &mut Dice) -> [f64; 7] {
    let drawn: [f64; 7] = std::array::from_fn(|_| dice.random_range(0.4..1.6));
    let sum: f64 = drawn.iter().sum();
    drawn.map(|liking| liking * 7.0 / sum)
}

/// 0 is Monday; 1970-01-01 was a Thursday.
fn weekday(day: i32) -> usize {
    (day + 3).rem_euclid(7) as usize
}
