//! How much one component works on at once, and how much of that for one peer. What comes beyond it
//! waits for a few seconds, in turn over peers, or is refused. What the work is, nobody here knows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::limits::{ADMISSION_ABANDONED_MIN, ADMISSION_WAIT_MAX, ADMISSION_WAITING_MAX};
use crate::serving::Abandoned;
use crate::turns::{Peer, Turns};

/// One component's permits.
#[derive(Debug)]
pub(crate) struct Admission {
    max: usize,
    peer_share_percent: usize,
    lists: Mutex<Lists>,
}

#[derive(Debug, Default)]
struct Lists {
    given: usize,
    of_peer: HashMap<Peer, usize>,
    waiting: Turns<oneshot::Sender<Permit>>,
}

/// Those of all components. Revisions of one component share theirs: how much there may be of it
/// does not double while one takes the place of another.
#[derive(Debug, Default)]
pub(crate) struct Admissions(Mutex<HashMap<Arc<str>, Arc<Admission>>>);

impl Admissions {
    /// That of a component, which allows so much.
    pub(crate) fn of(
        &self,
        id: &Arc<str>,
        max: usize,
        peer_share_percent: usize,
    ) -> Arc<Admission> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(id).filter(|it| it.max == max && it.peer_share_percent == peer_share_percent)
        {
            Some(known) => known.clone(),
            None => {
                let made = Admission::new(max, peer_share_percent);
                all.insert(id.clone(), made.clone());
                made
            }
        }
    }
}

/// The leave to work, until it is dropped. Work that was abandoned has it for a while longer, so
/// that whoever begins something and goes, again and again, begins no more than one who stays.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    peer: Peer,
    since: Instant,
    abandoned: Abandoned,
}

impl Permit {
    /// For work of which this says whether it was abandoned.
    pub(crate) fn for_work(self, abandoned: Abandoned) -> Self {
        let mut permit = self;
        permit.abandoned = abandoned;
        permit
    }
}

impl Admission {
    /// `max` permits, of which one peer has a share. What comes from no client may have all.
    pub(crate) fn new(max: usize, peer_share_percent: usize) -> Arc<Self> {
        Arc::new(Self { max, peer_share_percent, lists: Mutex::default() })
    }

    /// A permit, for which one waits until `until` at most. `None`: there was none, or too many
    /// wait already.
    pub(crate) async fn permit(self: &Arc<Self>, peer: Peer, until: Instant) -> Option<Permit> {
        let mut given = {
            let mut lists = self.lock();
            if self.may(&lists, peer) {
                return Some(self.give(&mut lists, peer));
            }
            self.join(&mut lists, peer)?
        };
        let until = until.min(Instant::now() + ADMISSION_WAIT_MAX);
        match timeout_at(until, &mut given).await {
            Ok(permit) => permit.ok(),
            // One that came at the last moment is as good.
            Err(_) => given.try_recv().ok(),
        }
    }

    fn may(&self, lists: &Lists, peer: Peer) -> bool {
        let of_peer = lists.of_peer.get(&peer).copied().unwrap_or_default();
        lists.given < self.max && (peer.is_none() || of_peer < self.share(self.max))
    }

    /// A peer's part of so many: at least one.
    fn share(&self, all: usize) -> usize {
        (all * self.peer_share_percent / 100).max(1)
    }

    fn give(self: &Arc<Self>, lists: &mut Lists, peer: Peer) -> Permit {
        lists.given += 1;
        *lists.of_peer.entry(peer).or_default() += 1;
        let abandoned = Abandoned::default();
        Permit { admission: self.clone(), peer, since: Instant::now(), abandoned }
    }

    fn join(&self, lists: &mut Lists, peer: Peer) -> Option<oneshot::Receiver<Permit>> {
        let share = self.share(ADMISSION_WAITING_MAX);
        let is_full = |waiting: &Turns<_>| {
            waiting.len() >= ADMISSION_WAITING_MAX || waiting.len_of(peer) >= share
        };
        if is_full(&lists.waiting) {
            // Those who have gone are still there until their turn comes.
            lists.waiting.retain(|give| !give.is_closed());
            if is_full(&lists.waiting) {
                return None;
            }
        }
        let (give, given) = oneshot::channel();
        lists.waiting.join(peer, give);
        Some(given)
    }

    fn give_back(self: &Arc<Self>, peer: Peer) {
        // Dropped when the lock is free again: a permit that nobody takes any more comes back here.
        let mut refused = Vec::new();
        let mut lists = self.lock();
        lists.given = lists.given.saturating_sub(1);
        if let Entry::Occupied(mut of_peer) = lists.of_peer.entry(peer) {
            *of_peer.get_mut() = of_peer.get().saturating_sub(1);
            if *of_peer.get() == 0 {
                of_peer.remove();
            }
        }
        while let Some((peer, give)) = self.next(&mut lists) {
            if !give.is_closed() {
                refused.extend(give.send(self.give(&mut lists, peer)).err());
            }
        }
        drop(lists);
    }

    fn next(&self, lists: &mut Lists) -> Option<(Peer, oneshot::Sender<Permit>)> {
        let mut waiting = std::mem::take(&mut lists.waiting);
        let next = waiting.next(|peer| self.may(lists, peer).then_some(0));
        lists.waiting = waiting;
        next
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        // Whole at every moment, whatever became of who had it.
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let until = self.since + ADMISSION_ABANDONED_MIN;
        if self.abandoned.is_so()
            && until > Instant::now()
            && let Ok(runtime) = Handle::try_current()
        {
            let (admission, peer) = (self.admission.clone(), self.peer);
            runtime.spawn(async move {
                sleep_until(until).await;
                admission.give_back(peer);
            });
        } else {
            self.admission.give_back(self.peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    fn peer(last: u8) -> Peer {
        Some(IpAddr::from([127, 0, 0, last]))
    }

    fn late() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// A permit that is there at once.
    fn now(admission: &Arc<Admission>, peer: Peer) -> Option<Permit> {
        admission.permit(peer, late()).now_or_never().flatten()
    }

    fn is_empty(admission: &Admission) -> bool {
        let lists = admission.lock();
        lists.given == 0 && lists.of_peer.is_empty() && lists.waiting.len() == 0
    }

    #[tokio::test]
    async fn a_peer_has_its_share_and_what_is_nobodys_may_have_all() {
        let admission = Admission::new(8, 25);
        let mut held = vec![now(&admission, peer(1)).unwrap(), now(&admission, peer(1)).unwrap()];
        assert!(now(&admission, peer(1)).is_none());
        held.extend((0..6).map(|_| now(&admission, None).unwrap()));
        assert!(now(&admission, None).is_none());
        assert!(now(&admission, peer(2)).is_none());
        held.clear();
        assert!(is_empty(&admission));
    }

    #[tokio::test]
    async fn what_is_given_back_goes_to_the_next_in_turn_who_may_have_it() {
        let admission = Admission::new(4, 50);
        let mut one = vec![now(&admission, peer(1)).unwrap(), now(&admission, peer(1)).unwrap()];
        let _others = [now(&admission, None).unwrap(), now(&admission, None).unwrap()];
        let mut waits: Vec<_> = [peer(1), peer(1), peer(2), peer(3)]
            .map(|peer| Box::pin(admission.permit(peer, late())))
            .into();
        for wait in &mut waits {
            assert!(wait.as_mut().now_or_never().is_none());
        }
        one.pop();
        let first = waits.remove(0).now_or_never().unwrap().unwrap();
        one.pop();
        let second = waits.remove(1).now_or_never().unwrap().unwrap();
        assert_eq!((first.peer, second.peer), (peer(1), peer(2)));
        drop(first);
        assert_eq!(waits.pop().unwrap().now_or_never().unwrap().unwrap().peer, peer(3));
        assert_eq!(waits.pop().unwrap().now_or_never().unwrap().unwrap().peer, peer(1));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_past_the_deadline_nor_for_ever() {
        let admission = Admission::new(1, 100);
        let _held = now(&admission, None).unwrap();
        let begun = Instant::now();
        let soon = begun + Duration::from_millis(20);
        assert!(admission.permit(None, soon).await.is_none());
        assert_eq!(begun.elapsed(), Duration::from_millis(20));
        assert!(admission.permit(None, late()).await.is_none());
        assert_eq!(begun.elapsed(), Duration::from_millis(20) + ADMISSION_WAIT_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_begins_no_more_than_one_who_stays() {
        let admission = Admission::new(1, 100);
        let begin = |abandoned: &Abandoned| {
            let permit = now(&admission, peer(1)).unwrap().for_work(abandoned.clone());
            (permit, abandoned.unless_answered())
        };
        let (permit, waiting) = begin(&Abandoned::default());
        waiting.answered();
        drop(permit);
        let (permit, waiting) = begin(&Abandoned::default());
        drop((waiting, permit));
        let begun = Instant::now();
        assert!(admission.permit(peer(1), late()).await.is_some());
        assert_eq!(begun.elapsed(), ADMISSION_ABANDONED_MIN);
        let (permit, waiting) = begin(&Abandoned::default());
        tokio::time::sleep(ADMISSION_ABANDONED_MIN).await;
        drop((waiting, permit));
        assert!(now(&admission, peer(1)).is_some(), "it had it for that long");
    }

    #[tokio::test]
    async fn so_many_wait_and_who_gives_up_makes_room() {
        let admission = Admission::new(1, 100);
        let held = now(&admission, None).unwrap();
        let wait = |peer| {
            let mut wait = Box::pin(admission.permit(peer, late()));
            let outcome = wait.as_mut().now_or_never();
            outcome.map_or(Ok(wait), |permit| Err(permit.is_some()))
        };
        let mut waits: Vec<_> =
            (0..ADMISSION_WAITING_MAX).map(|_| wait(None).ok().unwrap()).collect();
        assert_eq!(wait(peer(1)).err(), Some(false), "refused at once");
        waits.pop();
        let last = wait(peer(1)).ok().unwrap();
        drop((waits, held));
        assert!(last.await.is_some(), "those who have gone take nothing");
        assert!(is_empty(&admission));
    }

    #[tokio::test]
    async fn a_peer_has_its_share_of_those_who_wait() {
        let admission = Admission::new(1, 25);
        let _held = now(&admission, peer(1)).unwrap();
        let waits = || Box::pin(admission.permit(peer(1), late()));
        let mut waiting: Vec<_> = (0..ADMISSION_WAITING_MAX / 4).map(|_| waits()).collect();
        assert!(waiting.iter_mut().all(|wait| wait.now_or_never().is_none()));
        assert!(waits().now_or_never().unwrap().is_none(), "refused at once");
        assert!(admission.permit(peer(2), late()).now_or_never().is_none(), "another waits");
    }
}
