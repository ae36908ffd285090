//! The PIN key is changed while PINs are in use.

use conclave_accounts::{Pin, Role};
use conclave_store::{FreshKeys, Keys, NewAccount, OtherKeys, Store, StoreError, StoredPin};

use crate::common::{Asked, Bed, act, at, caller, databases, random};

databases!(
    a_pin_moves_to_the_new_key,
    a_pin_under_an_old_key_is_taken,
    other_keys_are_refused,
);

/// The bed's account, and the bed with a second PIN key.
async fn rotated(mut bed: Bed) -> (Bed, impl Store, [String; 2]) {
    let pins = [bed.fresh(), bed.fresh()];
    let store = bed.serve().await;
    let new = NewAccount {
        host: bed.host(&pins[0]),
        guest: bed.guest(&pins[1]),
        ..bed.account("Ada")
    };
    store.add_account(new, at(0)).await.unwrap();
    store.close().await;
    drop(store);
    bed.keys = Keys::rotate_pin_key(bed.dir.path(), [42; 32]).unwrap();
    let store = bed.serve().await;
    (bed, store, pins)
}

async fn a_pin_moves_to_the_new_key(bed: Bed) {
    let (bed, store, pins) = rotated(bed).await;
    assert_eq!(store.pins_by_key().await.unwrap(), [(1, 2)]);
    let id = store.list(&conclave_store::Find::All).await[0].id;
    let kept = store.guest_pin(id).await.unwrap().unwrap();
    assert_eq!(kept.open(&bed.keys).unwrap().expose(), pins[1]);
    for (digits, role) in [(&pins[0], Role::Host), (&pins[1], Role::Guest)] {
        let lookups = bed.lookups(digits);
        let found = store
            .door(&lookups, &caller(), at(1))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((found.door.role, found.sealed), (role, role == Role::Guest));
        let old = found.under_old_key.expect("it is under the first key");
        assert_eq!(old, lookups[1]);
        let pin = Pin::parse(digits).unwrap();
        let stored = match role {
            Role::Host => StoredPin::host(&pin, &bed.keys),
            Role::Guest => StoredPin::guest(&pin, &bed.keys, [9; 24]),
        };
        store.rehash_pin(&old, &stored).await.unwrap();
        // Somebody else was as fast.
        store.rehash_pin(&old, &stored).await.unwrap();
        let found = store
            .door(&lookups, &caller(), at(2))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((found.door.role, found.under_old_key), (role, None));
        assert_eq!(found.sealed, role == Role::Guest);
    }
    assert_eq!(store.pins_by_key().await.unwrap(), [(2, 2)]);
    let kept = store.guest_pin(id).await.unwrap().unwrap();
    assert_eq!(kept.open(&bed.keys).unwrap().expose(), pins[1]);
}

async fn a_pin_under_an_old_key_is_taken(bed: Bed) {
    let (bed, store, pins) = rotated(bed).await;
    let bob = async |pin: &str, when| {
        let new = NewAccount {
            host: bed.host(pin),
            ..bed.account("Bob")
        };
        store.add_account(new, when).await
    };
    for pin in &pins {
        assert!(matches!(bob(pin, at(1)).await, Err(StoreError::PinTaken)));
    }
    let id = store.list(&conclave_store::Find::All).await[0].id;
    let other = bed.host(&bed.fresh());
    store
        .reset_pin(id, Role::Host, other, &act(at(2)))
        .await
        .unwrap();
    let resting = bob(&pins[0], at(3)).await;
    assert!(matches!(resting, Err(StoreError::PinTaken)));
    let found = store.door(&bed.lookups(&pins[0]), &caller(), at(3)).await;
    assert_eq!(
        found.unwrap().unwrap().under_old_key,
        None,
        "it rests where it is"
    );
    bob(&pins[0], at(3) + crate::common::days(400))
        .await
        .unwrap();
    assert!(
        bed.opens(&store, &pins[0], at(4) + crate::common::days(400))
            .await
    );
}

async fn other_keys_are_refused(mut bed: Bed) {
    bed.open().await.close().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let own = bed.keys.clone();
    bed.keys = Keys::load_or_create(elsewhere.path(), FreshKeys::draw(&mut random())).unwrap();
    let refused = bed.try_open().await.unwrap_err();
    assert!(
        matches!(refused, StoreError::OtherKeys(OtherKeys::Differs(_))),
        "{refused}"
    );
    assert!(refused.is_lasting());
    bed.keys = own;
    bed.keys = Keys::rotate_pin_key(bed.dir.path(), [42; 32]).unwrap();
    bed.open().await.close().await;
    bed.open().await;
}
