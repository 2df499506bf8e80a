//! The same question about several gyms, answered on all cores.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{Question, Report, answer};
use crate::http::problem::Problem;
use crate::store::{Database, Epoch, Gym, Snapshot, StoreError};

/// What is asked of each gym; which of them comes next.
struct Work<'a> {
    asked: &'a [(Gym, Question)],
    next: AtomicUsize,
}

/// Reports, each with its place.
type Done = Vec<(usize, Result<Report, Problem>)>;

impl Work<'_> {
    fn next(&self) -> Option<(usize, &Gym, &Question)> {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        self.asked.get(place).map(|(gym, question)| (place, gym, question))
    }

    /// Answers what is next, by what another snapshot reads: a gym of which that is not the same is
    /// left.
    fn help(&self, database: &Database, epoch: Epoch) -> Result<Done, StoreError> {
        database.read(|own| {
            let mut done = Vec::new();
            while own.epoch()? == epoch {
                let Some((place, gym, question)) = self.next() else { break };
                if own.gym_by_id(gym.id).is_ok_and(|own| own == *gym) {
                    done.push((place, answer(own, gym, question)));
                }
            }
            Ok(done)
        })
    }
}

/// A report on each gym, in their order; all at one point of the database's history.
pub fn answers(snapshot: &Snapshot<'_>, asked: &[(Gym, Question)]) -> Result<Vec<Report>, Problem> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let helpers = cores.min(asked.len()).saturating_sub(1);
    let work = Work { asked, next: AtomicUsize::new(0) };
    let mut reports: Vec<Option<Report>> = Vec::new();
    reports.resize_with(asked.len(), || None);
    let (database, epoch) = (snapshot.database(), snapshot.epoch()?);
    let helped = thread::scope(|scope| {
        let database = database.into_iter().cycle().take(helpers);
        let work = &work;
        let help = |database| scope.spawn(move || work.help(database, epoch));
        let helpers: Vec<_> = database.map(help).collect();
        while let Some((place, gym, question)) = work.next() {
            reports[place] = Some(answer(snapshot, gym, question)?);
        }
        // What a helper could not do is done below, and fails there if it must.
        let helped = helpers.into_iter().filter_map(|helper| helper.join().ok()?.ok());
        Ok::<_, Problem>(helped.flatten().collect::<Vec<_>>())
    })?;
    for (place, report) in helped {
        reports[place] = Some(report?);
    }
    let reports = asked.iter().zip(reports).map(|((gym, question), report)| match report {
        Some(report) => Ok(report),
        None => answer(snapshot, gym, question),
    });
    reports.collect()
}
