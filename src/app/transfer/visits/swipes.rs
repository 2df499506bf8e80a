//! A list with a row for each swipe, in or out.

use std::collections::HashSet;

use crate::domain::ids::Account;
use crate::domain::{HOUR, Millis};

/// Two swipes further apart than this are not of one visit.
const VISIT_MAX: Millis = 8 * HOUR;

/// One row: at which of the list's gyms, who, when, and whether in.
#[derive(Debug, Clone, Copy)]
pub struct Swipe {
    pub gym: usize,
    pub account: Account,
    pub at: Millis,
    pub is_entry: bool,
}

/// Where a swipe is: gym, account, time.
pub type Place = (usize, Account, Millis);

/// Of somebody who swiped in and out at one time, as a list with whole minutes has it, the order
/// is not written: whoever was inside went out and came back, and all others came and went. These
/// are the swipes out of those who came and went.
pub fn exits_after_entry(mut swipes: Vec<Swipe>) -> HashSet<Place> {
    swipes.sort_by_key(|swipe| (swipe.gym, swipe.account.0, swipe.at, swipe.is_entry));
    let mut exits = HashSet::new();
    for member in swipes.chunk_by(|a, b| (a.gym, a.account) == (b.gym, b.account)) {
        let times: Vec<&[Swipe]> = member.chunk_by(|a, b| a.at == b.at).collect();
        // When the member last came in, if not out again.
        let mut inside: Option<Millis> = None;
        for (place, swipes) in times.iter().enumerate() {
            let Swipe { gym, account, at, is_entry } = swipes[0];
            let is_both = !is_entry && swipes[swipes.len() - 1].is_entry;
            let leaves_later = times.get(place + 1).is_some_and(|next| {
                next.iter().all(|swipe| !swipe.is_entry) && next[0].at - at <= VISIT_MAX
            });
            let was_inside = inside.is_some_and(|since| at - since <= VISIT_MAX);
            let stays = if is_both { was_inside || leaves_later } else { is_entry };
            if is_both && !stays {
                exits.insert((gym, account, at));
            }
            inside = stays.then_some(at);
        }
    }
    exits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_inside_went_out_and_others_came_and_went() {
        let account = Account(uuid::Uuid::from_u128(7));
        let exits = |swipes: &[(Millis, bool)]| {
            let swipes = swipes.iter().map(|(at, is_entry)| Swipe {
                gym: 0,
                account,
                at: *at * HOUR,
                is_entry: *is_entry,
            });
            let exits = exits_after_entry(swipes.collect());
            let mut exits: Vec<_> = exits.into_iter().map(|(_, _, at)| at / HOUR).collect();
            exits.sort_unstable();
            exits
        };
        let (enters, leaves) = (true, false);
        assert_eq!(exits(&[(10, enters), (10, leaves)]), [10]);
        assert_eq!(exits(&[(9, enters), (10, leaves), (10, enters)]), [0; 0]);
        assert_eq!(exits(&[(10, leaves), (10, enters), (11, leaves)]), [0; 0]);
        assert_eq!(exits(&[(9, enters), (20, leaves), (20, enters)]), [20], "long ago");
        assert_eq!(exits(&[(9, leaves), (10, leaves), (10, enters)]), [10]);
    }
}
