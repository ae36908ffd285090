//! The counts of PINs are those that counting gives, whatever happens; and no PIN leads two ways.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, AccountState, BookingId, InviteeId, PinLookup, Role};
use conclave_store::{Keep, NewAccount, NewBooking, Store, StoreError, StoredPin};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::common::{Asked, Bed, act, at, databases, minute};

databases!(
    counts_are_what_counting_gives,
    two_accounts_never_share_a_pin,
);

/// What the table itself says.
async fn counted(bed: &Bed) -> (BTreeMap<String, u64>, u64, u64) {
    let kinds =
        "SELECT CAST(digits AS TEXT) || ' ' || CAST(check_digit AS TEXT) || ' ' || role || ' '
        || CAST(forced AS TEXT) FROM pins WHERE retired_at IS NULL";
    let mut counts = BTreeMap::new();
    for kind in bed.texts(kinds).await {
        *counts.entry(kind).or_insert(0) += 1;
    }
    let hosts =
        "SELECT COUNT(*) FROM pins WHERE retired_at IS NULL AND role = 'host' AND booking IS";
    let accounts = bed.count(&format!("{hosts} NULL")).await;
    let bookings = bed.count(&format!("{hosts} NOT NULL")).await;
    (counts, accounts, bookings)
}

async fn check(bed: &Bed, store: &impl Store, after: &str) {
    let mut kept = BTreeMap::new();
    for count in store.pins().await.unwrap() {
        let (check, forced) = (u8::from(count.check_digit), u8::from(count.forced));
        let kind = format!("{} {check} {} {forced}", count.digits, count.role);
        assert_eq!(kept.insert(kind, count.count), None, "a kind comes twice");
    }
    let totals = store.totals().await.unwrap();
    let expected = counted(bed).await;
    assert_eq!(
        (kept, totals.accounts, totals.bookings),
        expected,
        "after {after}"
    );
    let by_key: u64 = store
        .pins_by_key()
        .await
        .unwrap()
        .iter()
        .map(|key| key.1)
        .sum();
    assert_eq!(by_key, expected.0.values().sum::<u64>());
}

#[derive(Default)]
struct World {
    accounts: Vec<AccountId>,
    bookings: Vec<BookingId>,
    invitees: Vec<InviteeId>,
    /// Guest PINs of accounts, in use or not.
    guests: Vec<PinLookup>,
}

/// One deed, by chance. That it is refused is as good: nothing may change then.
async fn deed(
    bed: &Bed,
    store: &impl Store,
    world: &mut World,
    random: &mut StdRng,
    now: DateTime<Utc>,
) -> String {
    let by = act(now);
    let mut one = |many: usize| (many > 0).then(|| random.random_range(0..many));
    let which = one(10).unwrap_or_default();
    let account = one(world.accounts.len()).map_or(AccountId(99), |n| world.accounts[n]);
    let booking = one(world.bookings.len()).map_or(BookingId(99), |n| world.bookings[n]);
    let invitee = one(world.invitees.len()).map_or(InviteeId(99), |n| world.invitees[n]);
    let soon = one(40).unwrap_or_default() as i64;
    let forced = one(2) == Some(0);
    let from = (now - at(0)).num_minutes() + soon;
    let done = match which {
        0 | 1 => {
            let new = NewAccount {
                host: StoredPin {
                    forced,
                    ..bed.host(&bed.fresh()[4..])
                },
                ..bed.account("Ada")
            };
            world.guests.push(new.guest.lookup);
            let added = store.add_account(new, now).await.unwrap();
            world.accounts.push(added.id);
            Ok(())
        }
        2 => {
            store
                .reset_pin(account, Role::Guest, bed.guest(&bed.fresh()), &by)
                .await
        }
        3 if soon < 10 => store.set_state(account, AccountState::Closed, &by).await,
        3 => store.set_state(account, AccountState::Suspended, &by).await,
        4 | 5 => {
            let named = vec![
                bed.invitee("Grace", &bed.fresh()),
                bed.invitee("Tony", &bed.fresh()),
            ];
            let mut new = bed.booking(account, &[(from + 1, from + 20)]);
            if forced {
                new = NewBooking {
                    guest: None,
                    invitees: named,
                    ..new
                };
            }
            store.book(new, &by).await.map(|made| {
                world.bookings.push(made.id);
                world
                    .invitees
                    .extend(made.invitees.iter().map(|invitee| invitee.id));
            })
        }
        6 => store.cancel_booking(booking, &by).await.map(drop),
        7 => store.withdraw(invitee, &by).await.map(drop),
        8 => store.sweep(&Keep::default(), now).await.map(drop),
        _ => match world.guests.pop() {
            // As if it had been typed after the key was changed.
            Some(old) => {
                let new = StoredPin {
                    key: 2,
                    ..bed.guest(&bed.fresh())
                };
                store.rehash_pin(&old, &new).await
            }
            None => Ok(()),
        },
    };
    format!("{which}: {done:?}")
}

async fn counts_are_what_counting_gives(bed: Bed) {
    let store = bed.serve().await;
    for seed in 0..4 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut world = World::default();
        for step in 0..30_i64 {
            let now = minute(seed.cast_signed() * 10_000 + step * 7);
            let done = deed(&bed, &store, &mut world, &mut random, now).await;
            check(
                &bed,
                &store,
                &format!("{done} at step {step} of seed {seed}"),
            )
            .await;
        }
    }
    assert!(store.verify_audit().await.unwrap().entries > 40);
}

async fn two_accounts_never_share_a_pin(bed: Bed) {
    let bed = Arc::new(bed);
    let stores = [bed.serve().await, bed.open().await];
    let tasks: Vec<_> = (0..12_u64)
        .map(|task| {
            let (bed, store) = (bed.clone(), stores[task as usize % 2].clone());
            tokio::spawn(async move {
                let mut random = StdRng::seed_from_u64(task);
                // A space so small that most are taken.
                let mut pin = || format!("{:04}", random.random_range(0..60) * 111);
                let mut made = 0;
                for _ in 0..12 {
                    let new = NewAccount {
                        host: bed.host(&pin()),
                        guest: bed.guest(&pin()),
                        ..bed.account("Ada")
                    };
                    match store.add_account(new, at(0)).await {
                        Ok(_) => made += 1,
                        Err(StoreError::PinTaken) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                made
            })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += task.await.unwrap();
    }
    assert!(made > 10);
    assert_eq!(bed.count("SELECT COUNT(*) FROM pins").await, 2 * made);
    assert_eq!(
        bed.count("SELECT COUNT(DISTINCT lookup) FROM pins").await,
        2 * made
    );
    assert_eq!(stores[1].totals().await.unwrap().accounts, made);
    let verified = stores[0].verify_audit().await.unwrap();
    assert_eq!((verified.entries, verified.against_head), (made, true));
}
