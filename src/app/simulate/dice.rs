//! Chance that can be repeated: every draw follows from the seed and from what it is drawn for,
//! never from what was drawn before. Nothing of gyms or members lives here.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub type Dice = ChaCha8Rng;

/// What a draw is for, so that no two decisions share their chance.
#[derive(Clone, Copy)]
pub enum Purpose {
    /// How busy the gym is on a day.
    Crowd,
    /// How long the memberships of one place in the pool last.
    Place,
    /// Who a member is.
    Member,
    /// Whether a member is away in a fortnight.
    Away,
    /// What a member does on a day.
    Day,
}

/// Fresh dice for one decision: `of` and `number` name whose it is.
pub fn dice(seed: u64, purpose: Purpose, of: u64, number: i32) -> Dice {
    let number = i64::from(number).to_le_bytes();
    let words = [seed.to_le_bytes(), [purpose as u8; 8], of.to_le_bytes(), number].concat();
    Dice::from_seed(words.try_into().expect("four words of eight bytes are a key of 32"))
}

/// A draw around 0 with a spread of 1, bell-shaped, and never beyond 3.5.
pub fn bell(dice: &mut Dice) -> f64 {
    let sum: f64 = (0..4).map(|_| dice.random::<f64>()).sum();
    (sum - 2.0) * 3_f64.sqrt()
}

/// A draw around `mean`, kept within the bounds.
pub fn near(dice: &mut Dice, mean: f64, spread: f64, lowest: f64, highest: f64) -> f64 {
    (mean + spread * bell(dice)).clamp(lowest, highest)
}
