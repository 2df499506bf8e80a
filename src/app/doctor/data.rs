//! What is in the data folder, and around it on this machine.

use std::collections::HashMap;

use super::{Found, Place};
use crate::app::{backups, eraser, notify, warn_of_others, witness};
use crate::clock;
use crate::domain::Millis;
use crate::domain::{DAY, HOUR};
use crate::projection::condition::{self, Finding};
use crate::projection::live::{LEARN_MAX, Watch};
use crate::projection::verify::verify_one;
use crate::projection::witness::judged;
use crate::store::{Gym, StoreError, Webhook, free_bytes};

pub fn service(place: &Place<'_>) -> Vec<Finding> {
    let next = "start it (`systemctl start footfall`, or `footfall serve`); if it ended by itself, \
                its log says why";
    let is_down = !place.is_served;
    let finding = || Finding::warning("no service runs on this data folder", next);
    is_down.then(finding).into_iter().collect()
}

pub fn permissions(place: &Place<'_>) -> Vec<Finding> {
    let mut found = vec![];
    let folder = place.config.data.display();
    if let Some(mode) = place.database.open_to_others() {
        let says = warn_of_others(&place.config.data, mode);
        found.push(Finding::warning(says, format!("`chmod 700 {folder}`")));
    }
    for (file, mode) in place.database.files_open_to_others() {
        let file = file.display();
        let says = format!("{file} is open to other users (mode {mode:o})");
        found.push(Finding::warning(says, format!("`chmod 600 {file}`")));
    }
    found
}

pub fn ledger(place: &Place<'_>) -> Found {
    if let Err(error) = place.database.look_at_ledger() {
        let next = "give `erasures.ledger` to the user of the service (`chown`), or move away what \
                    has its name; until then nobody is erased";
        return Ok(vec![Finding::fault(error.to_string(), next)]);
    }
    let ledger = place.database.ledger()?;
    let mut found = vec![];
    if ledger.damaged > 0 {
        found.push(Finding::warning(
            format!("{} lines of the erasure ledger cannot be read", ledger.damaged),
            "compare it with an earlier copy of `erasures.ledger`, and add the lines that are \
             there and not here",
        ));
    }
    if ledger.of_other_keys > 0 {
        found.push(Finding::warning(
            format!("{} lines of the erasure ledger are of another key", ledger.of_other_keys),
            "remove backups that are older than the present footfall.key: they would not forget",
        ));
    }
    let tombstones = place.database.read(|snapshot| snapshot.tombstones_after(Millis::MIN))?;
    let came_back = eraser::lacking(&tombstones, &ledger.entries).len();
    if came_back > 0 {
        found.push(Finding::warning(
            format!(
                "the database is older than its ledger: {came_back} erasures are to be made again"
            ),
            "start the service, or run any command but `verify` and `doctor`: it does them first",
        ));
    }
    Ok(found)
}

pub fn integrity(place: &Place<'_>) -> Found {
    let damage = place.database.read(|snapshot| snapshot.quick_damage())?;
    let next = "stop the service, run `footfall verify`, and put a backup back (docs/OPERATING.md, \
                Backup); the disk may be failing";
    let mut found: Vec<_> =
        damage.into_iter().take(1).map(|text| Finding::fault(text, next)).collect();
    if !place.database.read(|snapshot| snapshot.is_following())? {
        let next = "run `footfall verify`, then `footfall rebuild`";
        found.push(Finding::fault("the reports are behind the log of events", next));
    }
    Ok(found)
}

/// Verifies one gym, each day the next one.
pub fn sample(place: &Place<'_>) -> Found {
    let gyms = place.database.read(|snapshot| snapshot.gyms())?;
    let day = usize::try_from(place.now.div_euclid(DAY)).unwrap_or(0);
    let Some(gym) = gyms.get(day % gyms.len().max(1)) else { return Ok(vec![]) };
    let verified = place.database.read(|snapshot| Ok(verify_one(snapshot, gym)))?;
    let next = format!(
        "run `footfall verify`, then `footfall rebuild --gym {}`; where SQLite finds damage too, \
         put a backup back",
        gym.slug
    );
    let first = verified.differences.first();
    Ok(first.map(|text| Finding::fault(text, next)).into_iter().collect())
}

pub fn disk(place: &Place<'_>) -> Found {
    let sizes = place.database.sizes()?;
    let growth =
        place.database.read(|snapshot| condition::bytes_a_day(snapshot, &sizes, place.now))?;
    Ok(condition::disk(&sizes, growth).into_iter().collect())
}

pub fn clock(place: &Place<'_>) -> Found {
    let seen = place.database.read(|snapshot| judged(snapshot, clock::now()))?;
    let next = "compare `date -u` with another clock and put it right (`timedatectl`, NTP)";
    let is_wrong = !seen.verdict.is_good();
    let finding = || Finding::fault(witness::describe(&seen), next);
    Ok(is_wrong.then(finding).into_iter().collect())
}

pub fn backup(place: &Place<'_>) -> Vec<Finding> {
    let wanted = &place.config.backup;
    let mut found = passphrases(place);
    if wanted.every > 0 {
        found.extend(last_backup(place));
    }
    if wanted.folder.is_dir() {
        found.extend(kept_backups(place));
    }
    found
}

/// What is wrong with those that are kept. That the folder cannot be read is told by who looks for
/// the last one.
fn kept_backups(place: &Place<'_>) -> Vec<Finding> {
    let wanted = &place.config.backup;
    let by = wanted.passphrases().ok().flatten();
    let Ok((damaged, unknown)) = backups::doubtful(place.database, wanted, by) else {
        return vec![];
    };
    let mut found = vec![];
    for copy in damaged {
        let says = format!("the backup {} is not all there", copy.display());
        let next =
            "remove it; `footfall backup` makes another, and the disk of backups may be failing";
        found.push(Finding::fault(says, next));
    }
    for copy in unknown {
        let says = format!(
            "whose backup {} is cannot be told: it may hold whoever was erased",
            copy.display()
        );
        let next = "put back its footfall.key, or its footfall.forgotten, or remove it";
        found.push(Finding::warning(says, next));
    }
    let room =
        place.database.sizes().and_then(|sizes| Ok((sizes.database, free_bytes(&wanted.folder)?)));
    if let Ok((needed, free)) = room
        && free < needed
    {
        let says = format!(
            "`backup.folder` has {} MB free, and the next backup needs {}",
            free / 1_000_000,
            needed.div_ceil(1_000_000)
        );
        let next = "make room there, or lower `backup.keep`; until then no backup is made, and whoever \
                    was erased stays in those that are kept";
        found.push(Finding::fault(says, next));
    }
    found
}

/// Whether copies can be encrypted, and those that are there be opened.
fn passphrases(place: &Place<'_>) -> Vec<Finding> {
    let wanted = &place.config.backup;
    let passphrases = match wanted.passphrases() {
        Ok(Some(passphrases)) => passphrases,
        Ok(None) => return vec![],
        Err(error) => {
            let next = "put the passphrase into `backup.passphrase_file`, readable by the user of \
                        the service alone; until then no backup is made";
            return vec![Finding::fault(format!("{error:#}"), next)];
        }
    };
    let mut found = vec![];
    if let Some(mode) = passphrases.open_to_others() {
        let next = format!("`chmod 600 {}`", wanted.passphrase_file.display());
        found.push(Finding::warning(backups::warn_of_others(&wanted.passphrase_file, mode), next));
    }
    let next = "add the passphrase of before as another line of `backup.passphrase_file`: what \
                cannot be opened is removed as soon as somebody is erased";
    // That the folder cannot be read is told by who looks for the last backup.
    let unopened = backups::unopened(place.database, wanted, &passphrases).unwrap_or_default();
    found.extend(unopened.into_iter().map(|says| Finding::warning(says, next)));
    found
}

fn last_backup(place: &Place<'_>) -> Vec<Finding> {
    let wanted = &place.config.backup;
    if let Err(error) = backups::look_at_folder(wanted) {
        let next = "make `backup.folder`, give it to the user of the service (`chown`), and let the \
                    service write there (ReadWritePaths=-… of its unit)";
        return vec![Finding::fault(format!("no backup can be made: {error:#}"), next)];
    }
    let next = "make `backup.folder` writable for the user of the service and give it room; \
                `footfall backup` tries it at once";
    let last = match backups::last(place.database, wanted) {
        Ok(last) => last,
        Err(error) => {
            return vec![Finding::fault(format!("no backup can be found: {error:#}"), next)];
        }
    };
    let every = Millis::from(wanted.every) * HOUR;
    condition::backup(last.map(|last| last.made_at), every, place.now).into_iter().collect()
}

pub fn deletions(place: &Place<'_>) -> Found {
    let vitals = place.database.read(|snapshot| snapshot.vitals())?;
    let found = condition::erasures(&vitals.erasures, place.is_served, place.now);
    Ok(found.into_iter().collect())
}

pub fn quarantine(place: &Place<'_>) -> Found {
    let gyms = by_id(place)?;
    let held = place.database.read(|snapshot| snapshot.quarantine_held())?;
    let found = held.into_iter().filter(|(_, held)| held.rows > 0).filter_map(|(gym, held)| {
        let slug = &gyms.get(&gym)?.slug;
        let next = format!(
            "`footfall quarantine list {slug}` says why; mend that, then `footfall quarantine \
             release`"
        );
        let says = format!("{slug} has {} in quarantine", held.rows);
        Some(if held.has_room() {
            Finding::warning(says, next)
        } else {
            Finding::fault(format!("{says}, and it is full: further ones are cut short"), next)
        })
    });
    Ok(found.collect())
}

pub fn webhooks(place: &Place<'_>) -> Found {
    let gyms = by_id(place)?;
    let mut watch = Watch::default();
    let webhooks = place.database.read(|snapshot| {
        // In each look some gyms are learned.
        for _ in 0..=gyms.len() / LEARN_MAX {
            watch.look(snapshot, place.now)?;
        }
        snapshot.webhooks(None)
    })?;
    let found = webhooks.iter().filter_map(|webhook| {
        let gym = gyms.get(&webhook.gym).filter(|gym| gym.archived_at.is_none())?;
        let is_silent = watch.is_silent(gym, webhook.quiet_since(), place.now) == Some(true);
        of_webhook(webhook, is_silent)
    });
    Ok(found.collect())
}

fn of_webhook(webhook: &Webhook, is_silent: bool) -> Option<Finding> {
    let Webhook { slug, public_id, .. } = webhook;
    if webhook.last_delivery_at.is_none() && webhook.last_test_at.is_none() {
        return Some(Finding::warning(
            format!("nothing has ever come through the webhook {public_id} of {slug}"),
            format!(
                "register it at EGYM by its URL and secret, and let EGYM send a TEST; or remove it \
                 and let `footfall egym register {slug}` make another"
            ),
        ));
    }
    is_silent.then(|| {
        Finding::warning(
            format!(
                "nothing comes through the webhook {public_id} of {slug} any more, which its past \
                 makes all but impossible"
            ),
            format!(
                "ask whether the gym is closed; then `footfall egym test {slug}`, or send a TEST \
                 from EGYM"
            ),
        )
    })
}

pub fn notify(place: &Place<'_>) -> Found {
    let notices = match notify::Notices::open(place.config) {
        Ok(notices) => notices,
        Err(error) => {
            let next = "correct [mail] or [[notify]] in the configuration; nothing starts before";
            return Ok(vec![Finding::fault(format!("{error:#}"), next)]);
        }
    };
    let gyms = place.database.read(|snapshot| snapshot.gyms())?;
    let unknown = notices.unknown_gyms(&gyms).into_iter().map(|slug| {
        let says = format!("[[notify]] names the gym {slug}, which is not there");
        Finding::warning(says, "correct its slug, as `footfall gym list` shows it")
    });
    Ok(unknown.collect())
}

fn by_id(place: &Place<'_>) -> Result<HashMap<crate::domain::ids::GymId, Gym>, StoreError> {
    let gyms = place.database.read(|snapshot| snapshot.gyms())?;
    Ok(gyms.into_iter().map(|gym| (gym.id, gym)).collect())
}
