//! How busy a gym is, for everybody: coarse on purpose, so that it says nothing of anybody.

/// With fewer members present than this, it is only said that the gym is quiet.
pub const PRESENT_MIN: u32 = 5;
/// Percentages are rounded to this.
const STEP: u32 = 5;

/// What everybody may see of a gym.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Public {
    #[default]
    Off,
    Levels,
    /// The level, and the present over the capacity in steps of 5 %.
    Percent,
}

impl Public {
    pub const ALL: [Public; 3] = [Public::Off, Public::Levels, Public::Percent];

    pub fn name(self) -> &'static str {
        match self {
            Public::Off => "off",
            Public::Levels => "levels",
            Public::Percent => "percent",
        }
    }

    pub fn from_name(name: &str) -> Option<Public> {
        Public::ALL.into_iter().find(|public| public.name() == name)
    }
}

/// How full a gym is, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Quiet,
    /// From 25 % of the capacity on.
    Moderate,
    /// From 50 %.
    Busy,
    /// From 80 %.
    VeryBusy,
}

impl Level {
    pub const ALL: [Level; 4] = [Level::Quiet, Level::Moderate, Level::Busy, Level::VeryBusy];

    pub fn name(self) -> &'static str {
        match self {
            Level::Quiet => "quiet",
            Level::Moderate => "moderate",
            Level::Busy => "busy",
            Level::VeryBusy => "very_busy",
        }
    }

    /// From 1 to 4.
    pub fn number(self) -> u32 {
        match self {
            Level::Quiet => 1,
            Level::Moderate => 2,
            Level::Busy => 3,
            Level::VeryBusy => 4,
        }
    }
}

/// What may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    pub level: Level,
    /// None where only levels are told, or below [`PRESENT_MIN`].
    pub percent: Option<u32>,
}

/// What everybody may see; none when that is nothing.
pub fn busy(public: Public, present: u32, capacity: u32) -> Option<Busy> {
    if public == Public::Off || capacity == 0 {
        return None;
    }
    if present < PRESENT_MIN {
        return Some(Busy { level: Level::Quiet, percent: None });
    }
    let percent = u64::from(present) * 100 / u64::from(capacity);
    let level = match percent {
        ..25 => Level::Quiet,
        25..50 => Level::Moderate,
        50..80 => Level::Busy,
        80.. => Level::VeryBusy,
    };
    let (present, capacity, step) = (u64::from(present), u64::from(capacity), u64::from(STEP));
    let steps = (200 * present + step * capacity) / (2 * step * capacity);
    let rounded = u32::try_from(steps * step).unwrap_or(u32::MAX);
    Some(Busy { level, percent: (public == Public::Percent).then_some(rounded) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_coarse_and_says_nothing_of_few() {
        let told = |public, present| busy(public, present, 80).map(|b| (b.level, b.percent));
        assert_eq!(told(Public::Off, 50), None);
        assert_eq!(told(Public::Percent, 4), Some((Level::Quiet, None)));
        assert_eq!(told(Public::Percent, 5), Some((Level::Quiet, Some(5))));
        assert_eq!(told(Public::Percent, 20), Some((Level::Moderate, Some(25))));
        assert_eq!(told(Public::Percent, 37), Some((Level::Moderate, Some(45))));
        assert_eq!(told(Public::Percent, 38), Some((Level::Moderate, Some(50))));
        assert_eq!(told(Public::Levels, 40), Some((Level::Busy, None)));
        assert_eq!(told(Public::Levels, 64), Some((Level::VeryBusy, None)));
        assert_eq!(told(Public::Percent, 100), Some((Level::VeryBusy, Some(125))));
        // Where a few fill the gym, they are still too few to be told.
        assert_eq!(busy(Public::Percent, 4, 5).map(|b| b.level), Some(Level::Quiet));
    }
}
