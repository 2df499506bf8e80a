//! How busy a gym is, for everybody: coarse on purpose, so that it says nothing of anybody.

/// With fewer members present than this, it is only said that the gym is quiet.
pub const PRESENT_MIN: u32 = 5;
/// Percentages are rounded to this, or to a multiple of it that stands for at least
/// [`PRESENT_MIN`] members: else those of a small gym would tell how many are there.
const STEP: u32 = 5;

/// What everybody may see of a gym.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Public {
    #[default]
    Off,
    Levels,
    /// The level, and the present over the capacity in steps of 5 %, or of 5 members if those are more.
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
    let step = u64::from(STEP * (PRESENT_MIN * 100).div_ceil(STEP.saturating_mul(capacity)));
    let (present, capacity) = (u64::from(present), u64::from(capacity));
    let steps = (200 * present + step * capacity) / (2 * step * capacity);
    let rounded = u32::try_from(steps * step).unwrap_or(u32::MAX);
    Some(Busy { level, percent: (public == Public::Percent).then_some(rounded) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_coarse_and_says_nothing_of_few() {
        let told = |public, present| busy(public, present, 100).map(|b| (b.level, b.percent));
        assert_eq!(told(Public::Off, 50), None);
        assert_eq!(told(Public::Percent, 4), Some((Level::Quiet, None)));
        assert_eq!(told(Public::Percent, 5), Some((Level::Quiet, Some(5))));
        assert_eq!(told(Public::Percent, 25), Some((Level::Moderate, Some(25))));
        assert_eq!(told(Public::Percent, 47), Some((Level::Moderate, Some(45))));
        assert_eq!(told(Public::Percent, 48), Some((Level::Moderate, Some(50))));
        assert_eq!(told(Public::Levels, 50), Some((Level::Busy, None)));
        assert_eq!(told(Public::Levels, 80), Some((Level::VeryBusy, None)));
        assert_eq!(told(Public::Percent, 125), Some((Level::VeryBusy, Some(125))));
        // Where a few fill the gym, they are still too few to be told.
        assert_eq!(busy(Public::Percent, 4, 5).map(|b| b.level), Some(Level::Quiet));
    }

    #[test]
    fn a_percentage_stands_for_several_numbers_of_members_however_small_the_gym() {
        for capacity in 1..=400 {
            let told = |present| busy(Public::Percent, present, capacity).and_then(|b| b.percent);
            let full: Vec<_> = (PRESENT_MIN..=2 * capacity.max(50)).filter_map(told).collect();
            let alike = full.chunk_by(|a, b| a == b).map(<[u32]>::len).collect::<Vec<_>>();
            // The first and the last are cut off by where the list begins and ends.
            let inner = &alike[1..alike.len() - 1];
            let least = PRESENT_MIN as usize;
            assert!(inner.iter().all(|many| *many >= least), "{capacity}: {alike:?}");
            assert!(full.iter().all(|percent| percent % STEP == 0));
        }
    }
}
